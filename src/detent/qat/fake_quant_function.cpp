#include "detent/qat/fake_quant_function.h"

#include <ATen/ATen.h>

#include <cmath>

#include "detent/ops/fake_quant.h"
#include "detent/ops/with_backward.h"
#include "detent/quant/quantizer.h"

namespace detent {

at::Tensor rotate(const at::Tensor& x) {
  const at::Tensor value = ops::hadamard(x.detach().contiguous());
  return ops::with_backward(value, {x},
                            [](const at::Tensor& g) { return std::vector<at::Tensor>{ops::hadamard(g.contiguous())}; });
}

ops::Backward rule_backward(const QuantSpec& spec, const at::Tensor& mask) {
  return [=](const at::Tensor& g) {
    if (mask.defined()) return std::vector<at::Tensor>{ops::masked_backward(g, mask, spec)};
    const bool rotated = spec.rotation == Rotation::kHadamardHalf;  // the value left the quantizer rotated
    return std::vector<at::Tensor>{rotated ? ops::hadamard(g.contiguous()) : g};
  };
}

ops::Backward learned_backward(const at::Tensor& x, const at::Tensor& scales, const QuantSpec& spec,
                               const kernels::Surrogate& surrogate, double factor) {
  // d(scale)/d(parameter) = 1 / learned_unit; rounding to the scale format passes straight through.
  const double slope = factor / spec.learned_unit;
  return [=](const at::Tensor& g) {
    const ops::LearnedGradient gradient = ops::learned_backward(x, g, scales, spec, surrogate);
    return std::vector<at::Tensor>{gradient.dx, gradient.dscale.mul(slope)};
  };
}

at::Tensor fake_quant_by_rule(const at::Tensor& x, const QuantSpec& spec, const kernels::Surrogate& surrogate) {
  const bool masks = std::isfinite(surrogate.u_hi);
  const auto result = ops::fake_quant(x.detach().contiguous(), {}, spec, surrogate, {.value = true, .mask = masks});
  return ops::with_backward(result.value, {x}, rule_backward(spec, result.mask));
}

at::Tensor fake_quant_learned(const at::Tensor& x, const at::Tensor& parameter, const QuantSpec& spec,
                              const kernels::Surrogate& surrogate, double factor) {
  const at::Tensor input = x.detach().contiguous(), scales = ops::learned_scales(parameter.detach(), spec);
  const at::Tensor value = ops::fake_quant(input, scales, spec, surrogate, {}).value;
  return ops::with_backward(value, {x, parameter}, learned_backward(input, scales, spec, surrogate, factor));
}

at::Tensor alpha_blend(const at::Tensor& x, const at::Tensor& parameter, const QuantSpec& spec,
                       const kernels::Surrogate& surrogate, double blend, double factor) {
  // With half rotation the quantized value stays rotated, so what it is blended with must be rotated too.
  const bool half = spec.rotation == Rotation::kHadamardHalf;
  if (blend <= 0) return half ? rotate(x) : x;
  const bool learned = parameter.defined();
  const at::Tensor input = x.detach().contiguous();
  const at::Tensor scales = learned ? ops::learned_scales(parameter.detach(), spec) : at::Tensor();
  const at::Tensor quantized = ops::fake_quant(input, scales, spec, surrogate, {}).value;
  const at::Tensor value =
      blend >= 1 ? quantized : (half ? ops::hadamard(input) : input).mul(1 - blend).add_(quantized, blend);
  const double slope = blend * factor / spec.learned_unit;
  return ops::with_backward(value, {x, parameter}, [=](const at::Tensor& g) {
    at::Tensor dparameter;
    if (learned) dparameter = ops::learned_backward(input, g, scales, spec, surrogate).dscale.mul(slope);
    const at::Tensor dx = g.mul(1 - blend);
    return std::vector<at::Tensor>{half ? ops::hadamard(dx.contiguous()) : dx, dparameter};
  });
}

at::Tensor straight_through_store(const at::Tensor& x, Storage storage) {
  if (storage == Storage::kF32) return x;
  return ops::with_backward(stored_value(x.detach(), storage), {x},
                            [](const at::Tensor& g) { return std::vector<at::Tensor>{g}; });
}

}  // namespace detent
