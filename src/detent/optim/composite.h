// The optimizers' kernels (kernels/optimizer) as composites of ATen's operations on whole tensors: for what the kernels
// cannot read (ops/device.h). On the CPU all is bit-equal to them but sums, and adamw up to its square root, which ATen
// does not always round right.
#pragma once
#include <ATen/core/Tensor.h>

#include "detent/kernels/optimizer/optimizer.h"

namespace detent::composite {

// target: undefined when c.coupled is 0.
void adamw(const kernels::AdamwCoefficients& c, const at::Tensor& w, const at::Tensor& g, const at::Tensor& m,
           const at::Tensor& v, const at::Tensor& target);
// b: undefined when c.momentum is 0.
void sgd(const kernels::SgdCoefficients& c, const at::Tensor& w, const at::Tensor& g, const at::Tensor& b,
         const at::Tensor& target);
void pull(const at::Tensor& w, const at::Tensor& target, float strength);
at::Tensor sum_squares(const at::Tensor& x);  // float64, without dimensions, where x is

}  // namespace detent::composite
