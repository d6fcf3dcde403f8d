#include "detent/format/half_fit.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "detent/base/error.h"
#include "detent/format/two_level.h"

namespace detent {

namespace {

constexpr int kHalfBits = 11;

int scale_bits(ScaleFormat format) {
  if (format == ScaleFormat::kE8M0) return 1;
  if (two_level(format)) return 24;  // a product of its own
  return format == ScaleFormat::kFp32 ? 24 : format == ScaleFormat::kFp16 ? kHalfBits : 8;
}

// Significant bits of the widest level: 7 has 3, 8 has 1. Grids without a zero count in halves.
int level_bits(const Grid& grid) {
  int widest = 1;
  for (int code = grid.lo(); code <= grid.hi(); ++code) {
    auto level = static_cast<unsigned>(std::fabs(2 * grid.level(code)));
    while (level != 0 && level % 2 == 0) level /= 2;
    widest = std::max(widest, static_cast<int>(std::bit_width(level)));
  }
  return widest;
}

// A level of one bit only shifts the scale.
int product_bits(const QuantSpec& spec) {
  const int level = level_bits(spec.grid);
  return scale_bits(spec.scale_format) + (level == 1 ? 0 : level);
}

}  // namespace

std::optional<std::string> half_refusal(const QuantSpec& spec) {
  if (spec.rotation != Rotation::kNone) return "rotated back, its values lie on no grid";
  if (product_bits(spec) <= kHalfBits) return std::nullopt;
  return fmt::format("a scale of {} significant bits times a level of {} does not fit the {} bits of an fp16",
                     scale_bits(spec.scale_format), level_bits(spec.grid), kHalfBits);
}

QuantSpec nearest_half_spec(const QuantSpec& spec) {
  QuantSpec near = spec;
  near.rotation = Rotation::kNone;
  near.scale_format = ScaleFormat::kFp16Bf16;
  while (product_bits(near) > kHalfBits) --near.grid.bits;
  return near;
}

}  // namespace detent
