// The differentiable stand-ins for a quantizer that hang on a model's hooks: forward(x) is bit-equal to
// dequantize(quantize(x)), the gradient is the surrogate's.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "detent/base/philox.h"
#include "detent/nn/rule.h"
#include "detent/ops/coded.h"
#include "detent/ops/with_backward.h"
#include "detent/optim/row_target.h"
#include "detent/qat/coded_linear.h"
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
  bool integers = true;  // multiply codes where both operands have them; false: their values, as tests compare
};

// A weight in codes, and what its backward pass needs beside them.
struct WeightCodes {
  ops::CodedWeight coded;
  at::Tensor latent, scales;  // learned scales only: the weight that was quantized (with its noise), scales as stored
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
  void start_empty_learned(at::Device device);
  ScaleRule initial_rule = ScaleRule::kAbsmax;  // for activations, which start at their first batch
  // After an optimizer step: a learned step keeps its sign and stays away from zero.
  void keep_learned_positive();
  void remember_signs();

  // As the next three use them: learned scales as stored (undefined when found by rule), where gradients pass (in
  // evaluation: everywhere), and the gradients of a forward that kept these, in the basis that `spec`, this one's or
  // its code pair's, leaves the value in. latent: what was quantized; learned only.
  at::Tensor stored_scales() const;
  kernels::Surrogate surrogate() const;
  ops::Backward backward(const QuantSpec& spec, const at::Tensor& latent, const at::Tensor& scales,
                         const at::Tensor& mask) const;
  bool training() const { return phase_->training; }
  bool multiplies_codes() const { return phase_->integers && !(phase_->training && phase_->blending); }
  void start_from(const at::Tensor& x);  // a learned activation scale starts at the first batch it sees

  // A weight's codes; kept until the weight, its scale or its noise changes.
  std::shared_ptr<const WeightCodes> weight_codes(const ops::CodePair& pair, const at::Tensor& w);
  at::Tensor weight_value(const at::Tensor& w);       // noise, blending, surrogate as the phase says
  at::Tensor input_value(const at::Tensor& x);        // surrogate only
  at::Tensor plain_value(const at::Tensor& x) const;  // dequantize(quantize(x)), no gradient

 private:
  struct Noisy {
    at::Tensor weight, learned;
  };
  Noisy with_noise(const at::Tensor& w) const;
  at::Tensor surrogate_value(const at::Tensor& x, const at::Tensor& learned);
  std::string name_;
  QuantSpec spec_;
  std::shared_ptr<const SurrogateMethod> method_;
  std::shared_ptr<const Phase> phase_;
  uint32_t id_;
  at::Tensor learned_, signs_;
  // What the kept codes were made from.
  struct Made {
    const void *weight, *learned;
    int64_t weight_version, learned_version;
    uint32_t forward;
    bool training;
    bool operator==(const Made&) const = default;
  };
  Made made_from(const at::Tensor& w) const;
  Made made_{};
  std::shared_ptr<const WeightCodes> codes_;
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
  std::shared_ptr<InputCache> inputs;  // shared by the layers of a model
  at::Tensor apply(const at::Tensor& x, const at::Tensor& w) override;
  at::Tensor product_weight(const at::Tensor& w) override;

 private:
  at::Tensor value(const at::Tensor& w);
  std::optional<ops::CodePair> code_pair(const at::Tensor& w) const;
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
  at::Tensor product_weight(const at::Tensor& w) override { return value(w); }

 private:
  Storage storage_;
};

}  // namespace detent
