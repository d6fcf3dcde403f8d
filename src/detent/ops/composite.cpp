#include "detent/ops/composite.h"

#include <ATen/ATen.h>

#include <cmath>

#include "detent/base/error.h"
#include "detent/kernels/noise/noise.h"

namespace detent::ops::composite {

namespace {

void check_float(const at::Tensor& x, const char* op) {
  if (x.scalar_type() != at::kFloat) fail("[{}] expects float32, got {}", op, c10::toString(x.scalar_type()));
}

bool per_tensor(const QuantSpec& spec) { return spec.granularity.kind == GranularityKind::kTensor; }

// x in the basis that is quantized, and back into the one the model multiplies in.
at::Tensor basis(const at::Tensor& x, const QuantSpec& spec) {
  return spec.rotation == Rotation::kNone ? x : hadamard(x);
}
at::Tensor unrotated(const at::Tensor& value, const QuantSpec& spec) {
  return spec.rotation == Rotation::kHadamard ? hadamard(value) : value;
}

// Elements that share a scale side by side: [rows, groups, group]; per tensor [1, 1, all].
at::Tensor grouped(const at::Tensor& x, const QuantSpec& spec) {
  if (per_tensor(spec)) return x.reshape({1, 1, -1});
  const Rows shape = rows_of(x);
  return x.reshape({shape.rows, -1, spec.granularity.group_length(shape.rows, shape.columns)});
}

at::Tensor in_units(const at::Tensor& x, const at::Tensor& scales) {
  return at::where(scales.eq(0).logical_and(x.isnan().logical_not()), 0.0f, x.div(scales));
}

at::Tensor nearest_e2m1(const at::Tensor& u) {
  const at::Tensor magnitude = u.abs();
  const at::Tensor code =
      at::where(magnitude < 2, magnitude.mul(2).round(),
                at::where(magnitude < 4, magnitude.round().add(2), magnitude.mul(0.5).round().add(4)));
  return code.clamp_max(7).copysign(u);
}

// Codes as floats, NaN where u is; never -0.
at::Tensor nearest_codes(const at::Tensor& u, const Grid& grid) {
  if (!grid.uniform()) return nearest_e2m1(u).add(0.0);
  return (grid.rounds_down() ? u.floor() : u.round()).clamp(grid.lo(), grid.hi()).add(0.0);
}

at::Tensor levels(const at::Tensor& codes, const Grid& grid) {
  if (grid.uniform()) return codes.add(grid.offset()).mul(grid.stride());
  const at::Tensor magnitude = codes.abs();
  return at::maximum(at::maximum(magnitude.mul(0.5), magnitude.sub(2)), magnitude.mul(2).sub(8)).copysign(codes);
}

at::Tensor inside(const at::Tensor& u, const kernels::Surrogate& s) { return u.ge(s.u_lo).logical_and(u.le(s.u_hi)); }

}  // namespace

at::Tensor hadamard(const at::Tensor& x) {
  check_float(x, "hadamard");
  const int64_t block = hadamard_block(rows_of(x).columns);
  at::Tensor y = x;
  for (int64_t distance = 1; distance < block; distance *= 2) {
    const at::Tensor pairs = y.reshape({-1, 2, distance}), a = pairs.select(1, 0), b = pairs.select(1, 1);
    y = at::stack({a + b, a - b}, 1);
  }
  return y.reshape(x.sizes()).mul(static_cast<float>(1.0 / std::sqrt(static_cast<double>(block))));
}

FakeQuantResult fake_quant(const at::Tensor& x, const at::Tensor& scales, const QuantSpec& spec,
                           const kernels::Surrogate& surrogate, FakeQuantWants wants) {
  check_float(x, "fake_quant");
  const Rows shape = rows_of(x);
  check_shape(spec, shape.rows, shape.columns, "the input of fake_quant");
  const at::Tensor groups = grouped(basis(x, spec), spec);
  FakeQuantResult result;
  result.scales = scales.defined() ? scales : scales_by_rule(groups, spec);
  if (result.scales.numel() != groups.size(0) * groups.size(1))
    fail("[fake_quant] got {} scales, expected {} for {}", result.scales.numel(), groups.size(0) * groups.size(1),
         spec.name());
  if (!wants.value && !wants.codes && !wants.mask) return result;
  const at::Tensor d = result.scales.reshape({groups.size(0), groups.size(1), 1}), u = in_units(groups, d);
  const at::Tensor codes = nearest_codes(u, spec.grid);
  if (wants.value) result.value = unrotated((d * levels(codes, spec.grid)).view(x.sizes()), spec);
  if (wants.codes) result.codes = at::where(codes.isnan(), 0.0f, codes).to(at::kChar).view(x.sizes());
  if (wants.mask) result.mask = inside(u, surrogate).view(x.sizes());
  return result;
}

at::Tensor dequantize_codes(const at::Tensor& codes, const at::Tensor& scales, const QuantSpec& spec) {
  const at::Tensor groups = grouped(codes, spec);
  const at::Tensor d = scales.reshape({groups.size(0), groups.size(1), 1});
  return unrotated((d * levels(groups.to(at::kFloat), spec.grid)).view(codes.sizes()), spec);
}

at::Tensor masked_backward(const at::Tensor& g, const at::Tensor& mask, const QuantSpec& spec) {
  check_float(g, "fake_quant backward");
  const at::Tensor rotated = spec.rotation == Rotation::kHadamard ? hadamard(g) : g;
  return basis(at::where(mask, rotated, 0.0f), spec);
}

LearnedGradient learned_backward(const at::Tensor& x, const at::Tensor& g, const at::Tensor& scales,
                                 const QuantSpec& spec, const kernels::Surrogate& surrogate) {
  check_float(g, "learned scale backward");
  const at::Tensor groups = grouped(basis(x, spec), spec), d = scales.reshape({groups.size(0), groups.size(1), 1});
  const at::Tensor dy = grouped(spec.rotation == Rotation::kHadamard ? hadamard(g) : g, spec);
  const at::Tensor u = in_units(groups, d);
  at::Tensor slope = levels(nearest_codes(u, spec.grid), spec.grid).sub(u.mul(surrogate.residual));
  slope = at::where(u < surrogate.u_lo, surrogate.level_lo, slope);
  slope = at::where(u > surrogate.u_hi, surrogate.level_hi, slope);
  const at::Tensor dscale = dy.to(at::kDouble).mul(slope.to(at::kDouble)).sum(-1).to(at::kFloat);
  return {basis(at::where(inside(u, surrogate), dy, 0.0f).view(x.sizes()), spec), dscale};
}

at::Tensor add_gaussian(const at::Tensor& x, float sigma, const RandomStream& stream) {
  check_float(x, "add_gaussian");
  at::Tensor noise = at::zeros(x.sizes(), at::kFloat);
  kernels::add_gaussian(noise.const_data_ptr<float>(), noise.mutable_data_ptr<float>(), noise.numel(), sigma, stream,
                        0);
  return x + noise.to(x.device());
}

}  // namespace detent::ops::composite
