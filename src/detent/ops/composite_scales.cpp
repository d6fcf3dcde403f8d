// Scales of groups, as format/scale.cpp and format/two_level.cpp have them, on tensors.
#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "detent/base/error.h"
#include "detent/format/absmax.h"
#include "detent/format/two_level.h"
#include "detent/ops/composite.h"

namespace detent::ops::composite {

namespace {

constexpr int kMantissa = 0x007fffff, kExponent = 0x7f800000, kHalfMantissa = 0x00400000;

at::Tensor floats(const at::Tensor& bits) { return bits.view(at::kFloat); }

// 2^(floor(log2 x) - 2) of x >= 0. Subnormal numbers are scaled up first, where exponents can be read.
at::Tensor microscaling_scale(const at::Tensor& absmax) {
  const auto power = [](const at::Tensor& x) { return floats(x.contiguous().view(at::kInt).bitwise_and(kExponent)); };
  return at::where(absmax < 0x1p-126f, power(absmax.mul(0x1p64)).mul(0x1p-66), power(absmax).mul(0x1p-2));
}

// Ties go up; 2^-127, the smallest, is half of the smallest normal number.
at::Tensor nearest_power_of_two(const at::Tensor& scale) {
  const at::Tensor bits = scale.abs().contiguous().view(at::kInt);
  const at::Tensor normal = bits.add(kHalfMantissa).bitwise_and(kExponent).clamp_max(0x7f000000);
  const at::Tensor small = at::where(bits < kHalfMantissa + kHalfMantissa / 2, kHalfMantissa, kMantissa + 1);
  return at::where(scale.isnan(), scale, floats(at::where(bits <= kMantissa, small, normal).to(at::kInt)));
}

at::Tensor rounded(const at::Tensor& scale, ScaleFormat format) {
  switch (format) {
    case ScaleFormat::kE8M0:
      return nearest_power_of_two(scale);
    case ScaleFormat::kFp16:
      return scale.clamp(-65504.0, 65504.0).to(at::kHalf).to(at::kFloat);
    case ScaleFormat::kFp16Bf16: {
      const at::Tensor narrow = scale.clamp(-65280.0, 65280.0).to(at::kBFloat16).to(at::kFloat);
      return narrow.clamp(-65280.0, 65280.0).to(at::kHalf).to(at::kFloat);
    }
    default:
      return scale;
  }
}

// scales [rows, super-blocks, groups of one]; NaN counts for nothing and stays.
at::Tensor round_super_blocks(const at::Tensor& scales, const TwoLevel& format) {
  const at::Tensor known = at::where(scales.isnan(), 0.0f, scales);
  const at::Tensor largest = (format.low < 0 ? known.abs() : known).amax(-1, true).clamp_min(0.0);
  const at::Tensor d = rounded(divided(largest, format.high), format.super).clamp_max(format.top);
  const at::Tensor k = at::where(d == 0, 0.0f, scales.div(d).round());
  return at::where(scales.isnan(), scales, d * k.clamp(format.low, format.high).add(0.0));
}

at::Tensor rms_scale(const at::Tensor& rms, const Grid& grid) {
  if (grid.kind == GridKind::kTernary) return rms.mul(kTernaryGaussianClip);
  if (grid.kind == GridKind::kBinary) return rms.mul(gaussian_clip(1));
  return divided(rms.mul(gaussian_clip(grid.bits)).add(1e-8).mul(2.0), grid.level_count() - 1);
}

at::Tensor mean_scale(const at::Tensor& mean, const Grid& grid) {
  const bool integers = grid.kind == GridKind::kInt || grid.kind == GridKind::kIntHigh;
  return integers ? divided(mean.mul(2.0), std::sqrt(double{grid.symmetric_top()})) : mean;
}

// The first value of largest magnitude in each group, with its sign.
at::Tensor extreme(const at::Tensor& x) { return x.gather(-1, x.abs().argmax(-1, true)).squeeze(-1); }

at::Tensor found_scales(const at::Tensor& x, const Grid& grid, ScaleRule rule) {
  const auto n = static_cast<double>(x.size(-1));
  switch (rule) {
    case ScaleRule::kAbsmaxFull:
      if (!grid.uniform()) return microscaling_scale(x.abs().amax(-1));
      [[fallthrough]];
    case ScaleRule::kAbsmax:
      return divided(x.abs().amax(-1), absmax_divisor(grid, rule));
    case ScaleRule::kAbsmaxSigned:
      return divided(extreme(x), absmax_divisor(grid, rule));
    case ScaleRule::kRms:
      return rms_scale(divided(x.to(at::kDouble).square().sum(-1), n).sqrt(), grid).to(at::kFloat);
    case ScaleRule::kMean:
      return mean_scale(divided(x.abs().to(at::kDouble).sum(-1), n), grid).to(at::kFloat);
    default:
      fail("[scale] rule {} gives no scale for grid {}", scale_rule_name(rule), grid.name());
  }
}

}  // namespace

at::Tensor divided(const at::Tensor& x, double y) { return x.div(at::full({1}, y, x.options())); }

at::Tensor round_scales(const at::Tensor& scales, const QuantSpec& spec) {
  const auto levels = two_level(spec.scale_format);
  if (!levels) return rounded(scales, spec.scale_format);
  const int64_t groups = scales.size(-1), count = kSuperBlock / spec.granularity.size;
  const int64_t blocks = (groups + count - 1) / count;
  const at::Tensor whole = at::constant_pad_nd(scales, {0, blocks * count - groups}, 0.0);
  const at::Tensor result = round_super_blocks(whole.view({-1, blocks, count}), *levels);
  return result.view({-1, blocks * count}).narrow(1, 0, groups).contiguous();
}

at::Tensor scales_by_rule(const at::Tensor& x, const QuantSpec& spec) {
  if (!rule_fits(spec.grid, spec.scale_rule))
    fail("[scale] rule {} gives no scale for grid {}", scale_rule_name(spec.scale_rule), spec.grid.name());
  const at::Tensor scales = found_scales(x, spec.grid, spec.scale_rule);
  const at::Tensor finite = x.isfinite().all(-1);
  return round_scales(at::where(finite, scales, std::numeric_limits<float>::quiet_NaN()), spec);
}

at::Tensor learned_scales(const at::Tensor& parameters, const QuantSpec& spec) {
  const at::Tensor floored = parameters.abs().clamp_min(kLearnedFloor).copysign(parameters);
  return round_scales(divided(floored, spec.learned_unit), spec);
}

}  // namespace detent::ops::composite
