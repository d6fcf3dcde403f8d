#include "detent/nn/layers.h"

#include <ATen/ATen.h>

namespace detent::nn {

at::Tensor Linear::forward(const at::Tensor& x) const {
  const bool biased = bias.weight.defined();
  if (rule) return biased ? rule->apply(x, weight) + bias.value() : rule->apply(x, weight);
  return biased ? at::linear(x, weight, bias.value()) : at::linear(x, weight);
}

at::Tensor RmsNorm::forward(const at::Tensor& x) const {
  const at::Tensor inverse = at::rsqrt(x.square().mean(-1, true) + epsilon);
  return x * inverse * value();
}

}  // namespace detent::nn
