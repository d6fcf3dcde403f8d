// Autograd functions of the quantizers. Each forward is a value of quant/, each backward the surrogate's.
#pragma once
#include <ATen/core/Tensor.h>

#include "detent/format/spec.h"
#include "detent/kernels/fake_quant/fake_quant.h"
#include "detent/ops/with_backward.h"
#include "detent/quant/storage.h"

namespace detent {

// The gradients alone, from what the forward kept. mask: bits, or undefined where the gradient passes everywhere.
ops::Backward rule_backward(const QuantSpec& spec, const at::Tensor& mask);
// Of x and of the raw parameter; scales as stored.
ops::Backward learned_backward(const at::Tensor& x, const at::Tensor& scales, const QuantSpec& spec,
                               const kernels::Surrogate& surrogate, double factor);

// Scales by rule; gradient of x through the mask (in the quantized basis when rotated).
at::Tensor fake_quant_by_rule(const at::Tensor& x, const QuantSpec& spec, const kernels::Surrogate& surrogate);
// Learned scales: parameter is the raw leaf; its gradient is multiplied by factor.
at::Tensor fake_quant_learned(const at::Tensor& x, const at::Tensor& parameter, const QuantSpec& spec,
                              const kernels::Surrogate& surrogate, double factor);
// (1 - blend) x + blend Q(x) with Q constant in x: dx = (1 - blend) g; a learned parameter gets blend times its slope.
at::Tensor alpha_blend(const at::Tensor& x, const at::Tensor& parameter, const QuantSpec& spec,
                       const kernels::Surrogate& surrogate, double blend, double factor);
// The stored value with the identity as gradient.
at::Tensor straight_through_store(const at::Tensor& x, Storage storage);
// Block Hadamard rotation of the last dimension; its gradient is the same rotation.
at::Tensor rotate(const at::Tensor& x);

}  // namespace detent
