#include "detent/deploy/k_packer.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "detent/deploy/recover.h"
#include "detent/format/half.h"
#include "detent/format/two_level.h"

namespace detent {

namespace {

constexpr int64_t kMaxGroups = kSuperBlock / 16;

// scales: one for each group of the block; codes: q.
bool pack_one(const KBlock& block, const KFit& fit, std::span<const float> scales, std::span<const uint8_t> codes,
              std::span<std::byte> out) {
  std::array<int, kMaxGroups> k{};
  const auto used = std::span(k).first(scales.size());
  const auto d = split_scales(
      scales, *two_level(block.scale_format), [&](float super) { return keeps_super_scale(block, fit, super); }, used);
  if (!d) return false;
  const uint16_t minimum = block.low ? uint16_t{0} : float_to_half_bits(-fit.low * *d);
  pack_k_block(block, {float_to_half_bits(*d * fit.factor), minimum, used}, codes, out);
  return true;
}

// Lowest levels that a block with minimums may have been given: of the integer grids and of halves.
std::vector<KFit> candidates(const KBlock& block) {
  if (block.low) return {{1, *block.low}};
  const auto levels = static_cast<float>(block.high + 1);
  return {{1, -levels / 2}, {1, (1 - levels) / 2}, {1, 1 - levels / 2}};
}

// A block's values on levels from fit.low on. Whole ones where the lowest is; else odd ones, which are doubled halves.
class BlockRecovery {
 public:
  BlockRecovery(const KBlock& block, const KFit& fit, std::span<const float> values)
      : block_(block), fit_(fit), values_(values), groups_(block.elements / block.group) {
    const bool whole = fit.low == std::floor(fit.low);
    unit_ = whole ? 1 : 2;
    levels_ = {static_cast<int>(unit_ * fit.low), static_cast<int>(unit_ * (fit.low + static_cast<float>(block.high))),
               whole ? LevelSet::kAll : LevelSet::kOdd};
  }

  bool pack(std::span<std::byte> out) const {
    std::vector<float> scales(groups_);
    std::array<uint8_t, kSuperBlock> codes{};
    for (int64_t g = 0; g < groups_; ++g) {
      const auto s = find(g, std::nullopt, codes);
      if (!s) return false;
      scales[g] = *s;
    }
    if (pack_one(block_, fit_, scales, std::span(codes).first(block_.elements), out)) return true;
    const auto agreed = agree();
    if (!agreed) return false;
    for (int64_t g = 0; g < groups_; ++g)
      if (!find(g, (*agreed)[g], codes)) return false;
    return pack_one(block_, fit_, *agreed, std::span(codes).first(block_.elements), out);
  }

 private:
  std::span<const float> group(int64_t g) const { return values_.subspan(g * block_.group, block_.group); }
  bool is_scale(float d) const { return block_.low || !std::signbit(d); }

  // The group's scale, the wanted one if there is a wish, and its codes.
  std::optional<float> find(int64_t g, std::optional<float> wanted, std::span<uint8_t> codes) const {
    std::vector<int8_t> levels(block_.group);
    const GridSearch search{levels_, [&](float d) { return is_scale(d) && (!wanted || d * unit_ == *wanted); }};
    const auto d = recover_scale(group(g), search, levels);
    if (!d) return std::nullopt;
    for (int j = 0; j < block_.group; ++j)
      codes[g * block_.group + j] = static_cast<uint8_t>(static_cast<float>(levels[j]) / unit_ - fit_.low);
    return *d * unit_;
  }

  std::optional<std::vector<float>> agree() const {
    std::vector<std::vector<float>> possible;
    for (int64_t g = 0; g < groups_; ++g) {
      possible.push_back(possible_scales(group(g), {levels_, [&](float d) { return is_scale(d); }}));
      for (float& d : possible.back()) d *= unit_;
    }
    return agreeing_scales(possible, *two_level(block_.scale_format),
                           [&](float super) { return keeps_super_scale(block_, fit_, super); });
  }

  const KBlock& block_;
  const KFit& fit_;
  std::span<const float> values_;
  int64_t groups_;
  float unit_;
  LevelSet levels_;
};

bool holds(const KBlock& block, std::span<const float> values, std::span<const std::byte> packed) {
  std::vector<float> unpacked(values.size());
  unpack_blocks(block, packed, unpacked);
  return std::memcmp(unpacked.data(), values.data(), values.size_bytes()) == 0;
}

}  // namespace

KPacker::KPacker(const Quantized& quantized, const KBlock& block)
    : block_(block),
      spec_(quantized.spec),
      fit_(k_fit(block, quantized.spec.grid).value()),
      codes_(quantized.codes.contiguous()),
      scales_(quantized.scales.contiguous()),
      columns_(codes_.size(-1)) {}

bool KPacker::pack(int64_t row, std::span<std::byte> out) const {
  const int8_t* code = codes_.const_data_ptr<int8_t>() + row * columns_;
  const float* scale = scales_.const_data_ptr<float>();
  const bool whole = spec_.granularity.kind == GranularityKind::kTensor;
  const int64_t size = spec_.granularity.group_length(1, columns_), groups = block_.elements / block_.group;
  std::array<float, kMaxGroups> scales{};
  std::array<uint8_t, kSuperBlock> codes{};
  for (int64_t first = 0, i = 0; first < columns_; first += block_.elements, ++i) {
    for (int64_t g = 0; g < groups; ++g)
      scales[g] = scale[whole ? 0 : row * (columns_ / size) + (first + g * block_.group) / size];
    for (int64_t j = 0; j < block_.elements; ++j)
      codes[j] = static_cast<uint8_t>(spec_.grid.level(code[first + j]) / fit_.factor - fit_.low);
    if (!pack_one(block_, fit_, std::span(scales).first(groups), std::span(codes).first(block_.elements),
                  out.subspan(i * block_.bytes, block_.bytes)))
      return false;
  }
  return true;
}

bool pack_k_values(const KBlock& block, std::span<const float> values, std::span<std::byte> out) {
  for (size_t i = 0; i < values.size() / block.elements; ++i) {
    const auto part = values.subspan(i * block.elements, block.elements);
    const auto packed = out.subspan(i * block.bytes, block.bytes);
    bool found = false;
    for (const KFit& fit : candidates(block))
      found = found || (BlockRecovery(block, fit, part).pack(packed) && holds(block, part, packed));
    if (!found) return false;
  }
  return true;
}

}  // namespace detent
