#include "detent/nn/layers.h"

#include <ATen/ATen.h>

#include "detent/ops/layers.h"
#include "detent/ops/product.h"

namespace detent::nn {

at::Tensor Linear::forward(const at::Tensor& x) const {
  const bool biased = bias.weight.defined();
  if (rule) return biased ? rule->apply(x, weight) + bias.value() : rule->apply(x, weight);
  return ops::linear(x, weight, biased ? bias.value() : at::Tensor());
}

at::Tensor RmsNorm::forward(const at::Tensor& x) const { return ops::rms_norm(x, value(), epsilon); }

}  // namespace detent::nn
