// The ops of fake_quant.h as composites of ATen's operations: what tensors go by that the kernels cannot read, and the
// plain twins of the kernels. On the CPU all is bit-equal to them but sums (scales by rms and mean, gradients of
// scales), which are in double in ATen's order.
#pragma once
#include "detent/ops/fake_quant.h"

namespace detent::ops::composite {

// The mask is bool, the shape of x.
FakeQuantResult fake_quant(const at::Tensor& x, const at::Tensor& scales, const QuantSpec& spec,
                           const kernels::Surrogate& surrogate, FakeQuantWants wants);
at::Tensor learned_scales(const at::Tensor& parameters, const QuantSpec& spec);
at::Tensor dequantize_codes(const at::Tensor& codes, const at::Tensor& scales, const QuantSpec& spec);
at::Tensor masked_backward(const at::Tensor& g, const at::Tensor& mask, const QuantSpec& spec);
LearnedGradient learned_backward(const at::Tensor& x, const at::Tensor& g, const at::Tensor& scales,
                                 const QuantSpec& spec, const kernels::Surrogate& surrogate);
at::Tensor hadamard(const at::Tensor& x);
// The noise is drawn by the kernel on the host, so that a stream is the same on every device.
at::Tensor add_gaussian(const at::Tensor& x, float sigma, const RandomStream& stream);

// Scales by the spec's rule, as stored, of x [rows, groups, group] in the basis that is quantized: [rows, groups].
at::Tensor scales_by_rule(const at::Tensor& x, const QuantSpec& spec);
// Scales [rows, groups] rounded to the spec's format.
at::Tensor round_scales(const at::Tensor& scales, const QuantSpec& spec);
// x / y of one number y: ATen turns a division by a number of the host into a product with its inverse on some devices.
at::Tensor divided(const at::Tensor& x, double y);

}  // namespace detent::ops::composite
