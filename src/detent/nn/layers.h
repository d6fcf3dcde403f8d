// Layers as plain structs of named parameters with a forward function. Names are Hugging Face's.
#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "detent/nn/rule.h"

namespace detent::nn {

// What a parameter is, for decay, quantization and storage. Vectors are norms and biases: never quantized.
enum class Role { kProjection, kEmbedding, kHead, kVector };

struct Linear {
  std::string name;   // of the weight, e.g. "model.layers.0.mlp.up_proj.weight"
  at::Tensor weight;  // [out, in]
  std::shared_ptr<LinearRule> rule;
  at::Tensor forward(const at::Tensor& x) const;  // [..., in] -> [..., out]
};

struct Embedding {
  std::string name;
  at::Tensor weight;  // [vocab, hidden]
  std::shared_ptr<ValueRule> rule;
  at::Tensor value() const { return rule ? rule->value(weight) : weight; }
};

struct RmsNorm {
  std::string name;
  at::Tensor weight;  // [hidden]
  double epsilon = 1e-5;
  std::shared_ptr<ValueRule> rule;
  at::Tensor forward(const at::Tensor& x) const;
};

// One parameter of a model and the hook that goes with it (exactly one of the two is set).
struct Slot {
  std::string name;
  Role role;
  at::Tensor* parameter;
  std::shared_ptr<LinearRule>* linear_rule = nullptr;
  std::shared_ptr<ValueRule>* value_rule = nullptr;
};
Slot slot(Linear& layer, Role role = Role::kProjection);
Slot slot(Embedding& layer);
Slot slot(RmsNorm& layer);

// Rotary position embedding in Hugging Face's layout: halves of the head are rotated against each other.
class Rope {
 public:
  Rope(int64_t head_size, double theta) : head_size_(head_size), theta_(theta) {}
  at::Tensor apply(const at::Tensor& x);  // [B, heads, T, head_size], positions 0..T-1

 private:
  void extend(int64_t length);
  int64_t head_size_;
  double theta_;
  at::Tensor cos_, sin_;  // [length, head_size / 2]
};

// Causal self-attention. q [B, heads, T, d]; k, v [B, kv_heads, T, d], each shared by heads / kv_heads queries. `mask`,
// bool [B or 1, 1, T, T], says which keys (last dimension) a position sees; undefined: those up to its own.
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& mask = {});
// The mask that keeps causal attention inside documents: segments int64 [B, T] -> bool [B, 1, T, T].
at::Tensor segment_mask(const at::Tensor& segments);

}  // namespace detent::nn
