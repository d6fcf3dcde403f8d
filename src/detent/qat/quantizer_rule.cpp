#include "detent/qat/quantizer_rule.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "detent/base/error.h"
#include "detent/ops/fake_quant.h"
#include "detent/ops/with_backward.h"
#include "detent/qat/fake_quant_function.h"
#include "detent/quant/quantizer.h"

namespace detent {

namespace {
// Streams of WinQ's noise, apart from those of initialisation.
constexpr uint32_t kNoiseStream = 0x40000000u, kScaleNoiseStream = 0x60000000u;

at::Tensor noisy(const at::Tensor& x, double sigma, const RandomStream& stream) {
  const at::Tensor value = ops::add_gaussian(x.detach().contiguous(), static_cast<float>(sigma), stream);
  return ops::with_backward(value, {x}, [](const at::Tensor& g) { return std::vector<at::Tensor>{g}; });
}
}  // namespace

TensorQuantizer::TensorQuantizer(std::string name, const QuantSpec& spec, std::shared_ptr<const SurrogateMethod> method,
                                 std::shared_ptr<const Phase> phase, uint32_t id)
    : name_(std::move(name)), spec_(spec), method_(std::move(method)), phase_(std::move(phase)), id_(id) {}

void TensorQuantizer::start_learned(const at::Tensor& x, ScaleRule rule) {
  const at::NoGradGuard guard;
  const at::Tensor start = method_->initial_parameter(x.contiguous(), spec_, rule);
  // A group of zeros has no scale to start from.
  const at::Tensor floored = at::where(start.abs() < kLearnedFloor, at::full_like(start, kLearnedFloor), start);
  if (learned_.defined())
    learned_.copy_(floored);
  else
    learned_ = floored.clone().set_requires_grad(true);
  remember_signs();
}

void TensorQuantizer::start_empty_learned() { learned_ = at::zeros({1, 1}, at::kFloat).set_requires_grad(true); }

void TensorQuantizer::remember_signs() { signs_ = at::where(learned_.detach() < 0, -1.0f, 1.0f); }

void TensorQuantizer::keep_learned_positive() {
  if (!learned_.defined() || !signs_.defined()) return;
  const at::NoGradGuard guard;
  learned_.copy_(learned_.mul(signs_).clamp_min(kLearnedFloor).mul(signs_));
}

at::Tensor TensorQuantizer::plain_value(const at::Tensor& x) const {
  return quantized_value(x.contiguous(), spec_, learned_);
}

at::Tensor TensorQuantizer::surrogate_value(const at::Tensor& x, const at::Tensor& learned) {
  const kernels::Surrogate surrogate = method_->surrogate(spec_);
  if (!has_learned()) return fake_quant_by_rule(x, spec_, surrogate);
  return fake_quant_learned(x, learned, spec_, surrogate, method_->scale_gradient_factor(x.numel(), spec_.grid));
}

at::Tensor TensorQuantizer::weight_value(const at::Tensor& w) {
  if (!phase_->training) return plain_value(w);
  at::Tensor x = w, learned = learned_;
  if (phase_->noise > 0) {
    x = noisy(x, phase_->noise, {phase_->seed, kNoiseStream + id_, phase_->forward});
    if (learned.defined() && phase_->noise_scales)
      learned = noisy(learned, phase_->noise, {phase_->seed, kScaleNoiseStream + id_, phase_->forward});
  }
  if (!phase_->blending) return surrogate_value(x, learned);
  return alpha_blend(x, learned, spec_, method_->surrogate(spec_), phase_->blend,
                     method_->scale_gradient_factor(x.numel(), spec_.grid));
}

at::Tensor TensorQuantizer::input_value(const at::Tensor& x) {
  if (has_learned() && !signs_.defined()) {  // the first batch decides where a learned activation scale starts
    if (learned_.item<float>() == 0)
      start_learned(x.detach(), initial_rule);
    else
      remember_signs();
  }
  return phase_->training ? surrogate_value(x, learned_) : plain_value(x);
}

namespace {

class QuantizedTarget : public RowTarget {
 public:
  explicit QuantizedTarget(std::shared_ptr<TensorQuantizer> quantizer) : quantizer_(std::move(quantizer)) {}

  void prepare(const at::Tensor& w) override {
    if (quantizer_->has_learned())
      scales_ = ops::learned_scales(quantizer_->learned().detach(), spec());
    else if (per_tensor())
      scales_ = ops::dynamic_scales(w.detach(), spec());
    if (!rows_) rows_ = std::make_unique<ops::RowQuantizer>(spec(), w.size(-1));
  }
  bool needs_whole_tensor() const override { return per_tensor() && !quantizer_->has_learned(); }

  void target(int64_t row, const float* w, float* out, float* scratch) const override {
    const float* basis = rows_->basis(w, scratch);
    if (scales_.defined()) {
      const float* scales = scales_.const_data_ptr<float>();
      rows_->quantize(basis, per_tensor() ? scales : scales + row * rows_->groups(), {.value = out});
    } else {
      std::vector<float> scales(rows_->groups());
      rows_->find_scales(basis, scales.data());
      rows_->quantize(basis, scales.data(), {.value = out});
    }
    rows_->to_latent_basis(out);
  }

 private:
  const QuantSpec& spec() const { return quantizer_->spec(); }
  bool per_tensor() const { return spec().granularity.kind == GranularityKind::kTensor; }
  std::shared_ptr<TensorQuantizer> quantizer_;
  std::unique_ptr<ops::RowQuantizer> rows_;
  at::Tensor scales_;
};

}  // namespace

std::unique_ptr<RowTarget> make_quantized_target(std::shared_ptr<TensorQuantizer> quantizer) {
  return std::make_unique<QuantizedTarget>(std::move(quantizer));
}

at::Tensor QuantizedLinear::apply(const at::Tensor& x, const at::Tensor& w) {
  const at::Tensor q = weight ? weight->weight_value(w) : straight_through_store(w, storage);
  if (input) return at::linear(input->input_value(x), q);
  return at::linear(rotate_input ? rotate(x) : x, q);
}

at::Tensor StoredValue::value(const at::Tensor& w) { return straight_through_store(w, storage_); }
at::Tensor StoredValue::apply(const at::Tensor& x, const at::Tensor& w) { return at::linear(x, value(w)); }

}  // namespace detent
