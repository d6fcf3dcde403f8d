#include "detent/format/packed_fp4.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "detent/base/error.h"

namespace detent {

namespace {
constexpr int kTwiceMagnitude[8] = {0, 1, 2, 3, 4, 6, 8, 12};

void check_sizes(size_t values, size_t bytes) {
  if (values != 2 * bytes) fail("[pack] {} 4-bit floats do not fill {} bytes", values, bytes);
}

unsigned code_of(int8_t level) {
  const int* found = std::find(std::begin(kTwiceMagnitude), std::end(kTwiceMagnitude), std::abs(level));
  if (found == std::end(kTwiceMagnitude)) fail("[pack] half of {} is no 4-bit float", level);
  return static_cast<unsigned>(found - kTwiceMagnitude) | (level < 0 ? 8u : 0u);
}

float value_of(unsigned code) {
  const float magnitude = 0.5f * static_cast<float>(kTwiceMagnitude[code & 7]);
  return (code & 8) != 0 ? -magnitude : magnitude;
}
}  // namespace

void pack_fp4(std::span<const int8_t> levels, std::span<std::byte> bytes) {
  check_sizes(levels.size(), bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(code_of(levels[2 * i]) | code_of(levels[2 * i + 1]) << 4);
}

void unpack_fp4(std::span<const std::byte> bytes, std::span<float> values) {
  check_sizes(values.size(), bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto both = static_cast<unsigned>(bytes[i]);
    values[2 * i] = value_of(both & 15);
    values[2 * i + 1] = value_of(both >> 4);
  }
}

float e8m0_value(uint8_t e) { return e == 255 ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0f, e - 127); }

std::optional<uint8_t> e8m0_code(float value) {
  if (!(value >= 0x1p-127f && value <= 0x1p127f)) return std::nullopt;
  const auto e = static_cast<uint8_t>(std::ilogb(value) + 127);
  return e8m0_value(e) == value ? std::optional(e) : std::nullopt;
}

bool is_mxfp4(const QuantSpec& spec) {
  return spec.grid.kind == GridKind::kE2M1 && spec.scale_format == ScaleFormat::kE8M0 &&
         spec.granularity == Granularity{GranularityKind::kGroup, kMxGroup} && spec.rotation == Rotation::kNone;
}

}  // namespace detent
