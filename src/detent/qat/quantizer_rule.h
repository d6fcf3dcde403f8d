// The differentiable stand-ins for a quantizer that hang on a model's hooks: forward(x) is bit-equal to
// dequantize(quantize(x)), the gradient is the surrogate's.
#pragma once
#include <memory>
#include <string>

#include "detent/base/philox.h"
#include "detent/nn/rule.h"
#include "detent/optim/row_target.h"
#include "detent/qat/method.h"
#include "detent/quant/storage.h"

namespace detent {

// What the trainer tells all rules before a forward. Evaluation uses Q(W) alone: no noise, no blending.
struct Phase {
  bool training = false;
  uint64_t seed = 0;
  uint32_t forward = 0;  // counts training forwards: noise is fresh in each
  double noise = 0;      // standard deviation of WinQ's noise
  bool noise_scales = true;
  bool blending = false;  // alpha-blending replaces the surrogate
  double blend = 0;
};

// One quantized tensor: its spec, its surrogate and its learned scale, if it has one.
class TensorQuantizer {
 public:
  // id: a number of its own for random streams.
  TensorQuantizer(std::string name, const QuantSpec& spec, std::shared_ptr<const SurrogateMethod> method,
                  std::shared_ptr<const Phase> phase, uint32_t id);

  const std::string& name() const { return name_; }
  const QuantSpec& spec() const { return spec_; }
  // Raw learned parameter [rows, groups] (a leaf), or undefined. An activation's is [1, 1], zero until first seen.
  at::Tensor& learned() { return learned_; }
  bool has_learned() const { return spec_.scale_rule == ScaleRule::kLearned; }
  void start_learned(const at::Tensor& x, ScaleRule rule);
  void start_empty_learned();
  ScaleRule initial_rule = ScaleRule::kAbsmax;  // for activations, which start at their first batch
  // After an optimizer step: a learned step keeps its sign and stays away from zero.
  void keep_learned_positive();
  void remember_signs();

  at::Tensor weight_value(const at::Tensor& w);       // noise, blending, surrogate as the phase says
  at::Tensor input_value(const at::Tensor& x);        // surrogate only
  at::Tensor plain_value(const at::Tensor& x) const;  // dequantize(quantize(x)), no gradient

 private:
  at::Tensor surrogate_value(const at::Tensor& x, const at::Tensor& learned);
  std::string name_;
  QuantSpec spec_;
  std::shared_ptr<const SurrogateMethod> method_;
  std::shared_ptr<const Phase> phase_;
  uint32_t id_;
  at::Tensor learned_, signs_;
};

// Pulls a weight towards its quantized value, in the weight's own basis.
std::unique_ptr<RowTarget> make_quantized_target(std::shared_ptr<TensorQuantizer> quantizer);

// y = Q_input(x) Q_weight(w)^T; a null input passes through, a null weight is the value as stored. With half rotation
// and no input quantizer x is rotated.
class QuantizedLinear : public nn::LinearRule {
 public:
  std::shared_ptr<TensorQuantizer> weight, input;
  Storage storage = Storage::kF32;  // of a weight that is not quantized
  bool rotate_input = false;
  at::Tensor apply(const at::Tensor& x, const at::Tensor& w) override;
};

class QuantizedValue : public nn::ValueRule {
 public:
  explicit QuantizedValue(std::shared_ptr<TensorQuantizer> quantizer) : quantizer_(std::move(quantizer)) {}
  at::Tensor value(const at::Tensor& w) override { return quantizer_->weight_value(w); }

 private:
  std::shared_ptr<TensorQuantizer> quantizer_;
};

// The stored value, straight-through: what embeddings, heads, norms and skipped layers use.
class StoredValue : public nn::ValueRule, public nn::LinearRule {
 public:
  explicit StoredValue(Storage storage) : storage_(storage) {}
  at::Tensor value(const at::Tensor& w) override;
  at::Tensor apply(const at::Tensor& x, const at::Tensor& w) override;

 private:
  Storage storage_;
};

}  // namespace detent
