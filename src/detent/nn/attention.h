// Causal self-attention with grouped queries, sliding windows and documents that do not see each other.
#pragma once
#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

namespace detent::nn {

// Which of first + count keys the positions first .. first + count - 1 see: those up to their own, of their own
// document, and no further back than window - 1 (0: without limit). `segments` is int64 [B, count] or undefined, and
// then first must be 0. bool [B or 1, 1, count, first + count] on the device; undefined where plain causal attention
// says the same.
at::Tensor attention_mask(int64_t first, int64_t count, int64_t window, const at::Tensor& segments, at::Device device);

// q [B, heads, T, d]; k, v [B, kv_heads, S, d], each shared by heads / kv_heads queries. Without a mask either S = T,
// and a position sees those up to its own, or T = 1, and it sees all.
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& mask);

// Keys (rotated) and values of the positions read so far, for generation. Without gradients.
class KvCache {
 public:
  int64_t length() const { return length_; }
  void clear() { *this = {}; }
  // Takes k and v [B, kv_heads, T, d] of one layer, in the order of layers, and returns those of all positions.
  std::pair<at::Tensor, at::Tensor> append(size_t layer, const at::Tensor& k, const at::Tensor& v);
  void advance(int64_t count) { length_ += count; }  // after all layers have appended

 private:
  struct Layer {
    at::Tensor k, v;  // [B, kv_heads, capacity, d]
  };
  std::vector<Layer> layers_;
  int64_t length_ = 0;
};

}  // namespace detent::nn
