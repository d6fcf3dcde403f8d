#include "detent/nn/attention.h"

#include <ATen/ATen.h>

namespace detent::nn {

at::Tensor attention_mask(int64_t first, int64_t count, int64_t window, const at::Tensor& segments, at::Device device) {
  const int64_t keys = first + count;
  const bool windowed = window > 0 && window < keys;
  if (!windowed && !segments.defined() && (first == 0 || count == 1)) return {};
  const auto options = at::TensorOptions(at::kLong).device(device);
  const at::Tensor position = at::arange(first, keys, options).unsqueeze(1), key = at::arange(keys, options);
  at::Tensor mask = key.le(position);
  if (windowed) mask = mask.bitwise_and(key.gt(position - window));
  mask = mask.unsqueeze(0);
  if (segments.defined()) mask = mask.bitwise_and(segments.unsqueeze(2).eq(segments.unsqueeze(1)));
  return mask.unsqueeze(1);
}

at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& mask) {
  const auto given = mask.defined() ? std::optional(mask) : std::nullopt;
  return at::scaled_dot_product_attention(q, k, v, given, 0.0, /*is_causal=*/!given && q.size(2) > 1, std::nullopt,
                                          /*enable_gqa=*/q.size(1) != k.size(1));
}

std::pair<at::Tensor, at::Tensor> KvCache::append(size_t layer, const at::Tensor& k, const at::Tensor& v) {
  if (layer == layers_.size()) layers_.emplace_back();
  const int64_t needed = length_ + k.size(2);
  const auto store = [&](at::Tensor& all, const at::Tensor& more) {
    if (!all.defined() || all.size(2) < needed) {
      // Twice the room each time it runs out: n ids cost O(n) copies.
      at::Tensor grown = at::empty({k.size(0), k.size(1), std::max<int64_t>(needed * 2, 64), k.size(3)}, k.options());
      if (length_ > 0) grown.narrow(2, 0, length_).copy_(all.narrow(2, 0, length_));
      all = grown;
    }
    all.narrow(2, length_, more.size(2)).copy_(more);
    return all.narrow(2, 0, needed);
  };
  Layer& to = layers_[layer];
  return {store(to.k, k), store(to.v, v)};
}

}  // namespace detent::nn
