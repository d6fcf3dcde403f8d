// The hooks a model offers. A null rule means full precision; models know nothing of what a rule does.
#pragma once
#include <ATen/core/Tensor.h>

namespace detent::nn {

// Stands between a stored parameter and the value the forward uses. Differentiable.
class ValueRule {
 public:
  virtual ~ValueRule() = default;
  virtual at::Tensor value(const at::Tensor& parameter) = 0;
};

// Stands in for x @ w^T of a linear layer: x [..., in], w [out, in] -> [..., out].
class LinearRule {
 public:
  virtual ~LinearRule() = default;
  virtual at::Tensor apply(const at::Tensor& x, const at::Tensor& w) = 0;
  // The [out, in] that apply() multiplies x by, where it does no more than that; else undefined.
  virtual at::Tensor product_weight(const at::Tensor& /*w*/) { return {}; }
};

}  // namespace detent::nn
