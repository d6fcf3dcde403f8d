// Layers as plain structs of parameters with a forward function, and the slots by which others reach them.
#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "detent/nn/rule.h"

namespace detent::nn {

// What a parameter is, for decay, quantization and storage. Vectors are norms and biases: never quantized.
enum class Role { kProjection, kEmbedding, kHead, kVector };

// A parameter that is used as it stands: an embedding [vocab, hidden], a bias [out].
struct Parameter {
  at::Tensor weight;
  std::shared_ptr<ValueRule> rule;
  at::Tensor value() const { return rule ? rule->value(weight) : weight; }
};

struct Linear {
  at::Tensor weight;  // [out, in]
  std::shared_ptr<LinearRule> rule;
  Parameter bias;                                 // [out], or undefined
  at::Tensor forward(const at::Tensor& x) const;  // [..., in] -> [..., out]
};

struct RmsNorm : Parameter {  // weight [size]
  double epsilon = 1e-5;
  at::Tensor forward(const at::Tensor& x) const;  // [..., size]
};

// One parameter of a model and the hook that goes with it (exactly one of the two is set). Names are Hugging Face's,
// e.g. "model.layers.0.mlp.up_proj.weight".
struct Slot {
  std::string name;
  Role role;
  at::Tensor* parameter;
  std::shared_ptr<LinearRule>* linear_rule = nullptr;
  std::shared_ptr<ValueRule>* value_rule = nullptr;
};

}  // namespace detent::nn
