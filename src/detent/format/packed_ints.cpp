#include "detent/format/packed_ints.h"

#include <algorithm>
#include <cmath>

#include "detent/base/error.h"

namespace detent {

namespace {

void check_sizes(size_t values, int bits, size_t words) {
  if (bits < 1 || bits > 8 || static_cast<int64_t>(words) != packed_words(static_cast<int64_t>(values), bits))
    fail("[pack] {} integers of {} bits do not fill {} words", values, bits, words);
}

bool fits(const Grid& grid, const PackedFit& fit) {
  const auto half = static_cast<float>(1 << (fit.bits - 1));
  for (int code = grid.lo(); code <= grid.hi(); ++code) {
    const float value = grid.level(code) / fit.factor + static_cast<float>(fit.zero_point);
    if (value != std::floor(value) || value < -half || value > half - 1) return false;
  }
  return true;
}

}  // namespace

int64_t packed_words(int64_t count, int bits) { return (count * bits + 31) / 32; }

void pack_ints(std::span<const int8_t> values, int bits, std::span<uint32_t> words) {
  check_sizes(values.size(), bits, words.size());
  const int half = 1 << (bits - 1);
  uint64_t pending = 0;
  int filled = 0;
  size_t word = 0;
  for (const int8_t value : values) {
    if (value < -half || value >= half) fail("[pack] {} is no integer of {} bits", value, bits);
    pending |= static_cast<uint64_t>(value + half) << filled;
    filled += bits;
    if (filled < 32) continue;
    words[word++] = static_cast<uint32_t>(pending);
    pending >>= 32;
    filled -= 32;
  }
  if (filled > 0) words[word] = static_cast<uint32_t>(pending);
}

void unpack_ints(std::span<const uint32_t> words, int bits, std::span<int8_t> values) {
  check_sizes(values.size(), bits, words.size());
  const int half = 1 << (bits - 1);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t at = i * static_cast<size_t>(bits), word = at / 32, shift = at % 32;
    uint64_t pair = words[word];
    if (word + 1 < words.size()) pair |= static_cast<uint64_t>(words[word + 1]) << 32;
    values[i] = static_cast<int8_t>(static_cast<int>(pair >> shift & ((1u << bits) - 1)) - half);
  }
}

std::optional<PackedFit> packed_fit(const Grid& grid, bool may_have_zero_point) {
  for (const float factor : {1.0f, 0.5f})
    for (int bits = 2; bits <= 8; ++bits)
      for (int zero_point = 0; zero_point >= (may_have_zero_point ? -1 : 0); --zero_point)
        if (const PackedFit fit{bits, factor, zero_point}; fits(grid, fit)) return fit;
  return std::nullopt;
}

}  // namespace detent
