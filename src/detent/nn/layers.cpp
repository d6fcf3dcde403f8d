#include "detent/nn/layers.h"

#include <ATen/ATen.h>

namespace detent::nn {

at::Tensor Linear::forward(const at::Tensor& x) const { return rule ? rule->apply(x, weight) : at::linear(x, weight); }

at::Tensor RmsNorm::forward(const at::Tensor& x) const {
  const at::Tensor inverse = at::rsqrt(x.square().mean(-1, true) + epsilon);
  return x * inverse * (rule ? rule->value(weight) : weight);
}

Slot slot(Linear& layer, Role role) { return {layer.name, role, &layer.weight, &layer.rule, nullptr}; }
Slot slot(Embedding& layer) { return {layer.name, Role::kEmbedding, &layer.weight, nullptr, &layer.rule}; }
Slot slot(RmsNorm& layer) { return {layer.name, Role::kVector, &layer.weight, nullptr, &layer.rule}; }

void Rope::extend(int64_t length) {
  const at::Tensor exponent = at::arange(0, head_size_, 2, at::kFloat) / static_cast<double>(head_size_);
  const at::Tensor frequency = 1.0 / at::pow(at::Scalar(theta_), exponent);
  const at::Tensor angle = at::outer(at::arange(length, at::kFloat), frequency);
  cos_ = angle.cos();
  sin_ = angle.sin();
}

at::Tensor Rope::apply(const at::Tensor& x) {
  const int64_t length = x.size(2);
  if (!cos_.defined() || cos_.size(0) < length) extend(length);
  const at::Tensor cos = cos_.narrow(0, 0, length), sin = sin_.narrow(0, 0, length);
  const at::Tensor first = x.narrow(3, 0, head_size_ / 2), second = x.narrow(3, head_size_ / 2, head_size_ / 2);
  return at::cat({first * cos - second * sin, second * cos + first * sin}, 3);
}

at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& mask) {
  const auto given = mask.defined() ? std::optional(mask) : std::nullopt;
  return at::scaled_dot_product_attention(q, k, v, given, 0.0, /*is_causal=*/!given, std::nullopt,
                                          /*enable_gqa=*/q.size(1) != k.size(1));
}

at::Tensor segment_mask(const at::Tensor& segments) {
  return segments.unsqueeze(2).eq(segments.unsqueeze(1)).tril_().unsqueeze(1);
}

}  // namespace detent::nn
