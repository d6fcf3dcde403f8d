#include "detent/format/two_level.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "detent/base/error.h"
#include "detent/format/spec.h"

namespace detent {

namespace {

bool same_bits(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b); }

// The largest magnitude that k can follow; NaN counts for nothing.
float largest(std::span<const float> scales, const TwoLevel& format) {
  float top = 0;
  for (const float scale : scales) top = std::fmax(top, format.low < 0 ? std::fabs(scale) : scale);
  return top;
}

void round_super_block(std::span<float> scales, const TwoLevel& format) {
  const auto high = static_cast<float>(format.high);
  const float d = std::fmin(round_scale(largest(scales, format) / high, format.super), format.top);
  for (float& scale : scales) {
    if (std::isnan(scale)) continue;
    const float k = d == 0 ? 0 : std::nearbyint(scale / d);
    scale = d * (std::clamp(k, static_cast<float>(format.low), high) + 0.0f);  // k = -0 is 0
  }
}

bool split(std::span<const float> scales, float d, const TwoLevel& format, std::span<int> k) {
  for (size_t i = 0; i < scales.size(); ++i) {
    const float ratio = d == 0 ? 0 : std::nearbyint(scales[i] / d);
    if (!(ratio >= static_cast<float>(format.low) && ratio <= static_cast<float>(format.high))) return false;
    k[i] = static_cast<int>(ratio);
    if (!same_bits(d * static_cast<float>(k[i]), scales[i])) return false;
  }
  return true;
}

using Scales = std::vector<float>;

std::optional<Scales> multiples_of(float d, const std::vector<Scales>& possible, const TwoLevel& format) {
  Scales chosen;
  int k = 0;
  for (const Scales& of_group : possible) {
    const auto found = std::find_if(of_group.begin(), of_group.end(), [&](const float& s) {
      return split({&s, 1}, d, format, {&k, 1});
    });
    if (found == of_group.end()) return std::nullopt;
    chosen.push_back(*found);
  }
  return chosen;
}

}  // namespace

std::optional<TwoLevel> two_level(ScaleFormat format) {
  switch (format) {
    case ScaleFormat::kQ2K:
      return TwoLevel{0, 15, ScaleFormat::kFp16Bf16, 32640};  // the minimum is up to 2 D
    case ScaleFormat::kQ3K:
      return TwoLevel{-32, 31, ScaleFormat::kFp16, 65504};
    case ScaleFormat::kQ4K:
      return TwoLevel{0, 63, ScaleFormat::kFp16, 8188};  // the minimum is up to 8 D
    default:
      return std::nullopt;
  }
}

void round_row_scales(std::span<float> scales, int64_t group, ScaleFormat format) {
  if (format == ScaleFormat::kFp32) return;
  const auto levels = two_level(format);
  if (!levels) {
    for (float& scale : scales) scale = round_scale(scale, format);
    return;
  }
  const auto count = static_cast<size_t>(kSuperBlock / group);
  for (size_t first = 0; first < scales.size(); first += count)
    round_super_block(scales.subspan(first, std::min(count, scales.size() - first)), *levels);
}

std::optional<std::string> two_level_problem(const QuantSpec& spec) {
  const auto levels = two_level(spec.scale_format);
  if (!levels) return std::nullopt;
  const std::string format = scale_format_name(spec.scale_format);
  const Granularity& granularity = spec.granularity;
  if (granularity.kind != GranularityKind::kGroup || kSuperBlock % granularity.size != 0)
    return fmt::format("scale_format {} gives groups of 16 or 32 a part of a scale that {} share: set group: 16 or 32",
                       format, kSuperBlock);
  if (levels->low == 0 && spec.scale_rule == ScaleRule::kAbsmaxSigned)
    return fmt::format("scale_format {} has no negative scales, which scale absmax_signed needs; use absmax", format);
  return std::nullopt;
}

std::optional<float> split_scales(std::span<const float> scales, const TwoLevel& format,
                                  const std::function<bool(float)>& is_super, std::span<int> k) {
  float top = 0;
  for (const float scale : scales) top = std::fmax(top, std::fabs(scale));
  if (!std::isfinite(top)) return std::nullopt;
  const int last = top == 0 ? 1 : std::max(format.high, -format.low);
  for (int i = last; i >= 1; --i) {
    const float d = top / static_cast<float>(i);
    if (is_super(d) && split(scales, d, format, k)) return d;
  }
  return std::nullopt;
}

std::optional<Scales> agreeing_scales(const std::vector<Scales>& possible, const TwoLevel& format,
                                      const std::function<bool(float)>& is_super) {
  const Scales* fewest = nullptr;  // of groups that are not all zeros: D is a part of one of these
  for (const Scales& of_group : possible)
    if (of_group.front() != 0 && (!fewest || of_group.size() < fewest->size())) fewest = &of_group;
  if (!fewest) return std::nullopt;
  for (const float s : *fewest)
    for (int k = std::max(format.high, -format.low); k >= 1; --k) {
      const float d = std::fabs(s) / static_cast<float>(k);
      if (!is_super(d)) continue;
      if (auto chosen = multiples_of(d, possible, format)) return chosen;
    }
  return std::nullopt;
}

}  // namespace detent
