#include "detent/qat/quantizer_rule.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "detent/base/error.h"
#include "detent/ops/device.h"
#include "detent/ops/fake_quant.h"
#include "detent/ops/product.h"
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

void TensorQuantizer::start_empty_learned(at::Device device) {
  learned_ = at::zeros({1, 1}, at::TensorOptions(at::kFloat).device(device)).set_requires_grad(true);
}

void TensorQuantizer::remember_signs() { signs_ = at::where(learned_.detach() < 0, -1.0f, 1.0f); }

void TensorQuantizer::keep_learned_positive() {
  if (!learned_.defined() || !signs_.defined()) return;
  const at::NoGradGuard guard;
  learned_.copy_(learned_.mul(signs_).clamp_min(kLearnedFloor).mul(signs_));
}

at::Tensor TensorQuantizer::plain_value(const at::Tensor& x) const {
  return quantized_value(x.contiguous(), spec_, learned_);
}

at::Tensor TensorQuantizer::stored_scales() const {
  return has_learned() ? ops::learned_scales(learned_.detach(), spec_) : at::Tensor();
}

kernels::Surrogate TensorQuantizer::surrogate() const {
  return phase_->training ? method_->surrogate(spec_) : ops::pass_through();
}

ops::Backward TensorQuantizer::backward(const QuantSpec& spec, const at::Tensor& latent, const at::Tensor& scales,
                                        const at::Tensor& mask) const {
  if (!has_learned()) return rule_backward(spec, mask);
  return learned_backward(latent.contiguous(), scales, spec, method_->surrogate(spec_),
                          method_->scale_gradient_factor(latent.numel(), spec_.grid));
}

at::Tensor TensorQuantizer::surrogate_value(const at::Tensor& x, const at::Tensor& learned) {
  const kernels::Surrogate surrogate = method_->surrogate(spec_);
  if (!has_learned()) return fake_quant_by_rule(x, spec_, surrogate);
  return fake_quant_learned(x, learned, spec_, surrogate, method_->scale_gradient_factor(x.numel(), spec_.grid));
}

TensorQuantizer::Noisy TensorQuantizer::with_noise(const at::Tensor& w) const {
  Noisy result{w, learned_};
  if (!phase_->training || phase_->noise <= 0) return result;
  result.weight = noisy(w, phase_->noise, {phase_->seed, kNoiseStream + id_, phase_->forward});
  if (learned_.defined() && phase_->noise_scales)
    result.learned = noisy(learned_, phase_->noise, {phase_->seed, kScaleNoiseStream + id_, phase_->forward});
  return result;
}

TensorQuantizer::Made TensorQuantizer::made_from(const at::Tensor& w) const {
  const bool noisy = phase_->training && phase_->noise > 0;
  return {w.unsafeGetTensorImpl(),
          learned_.defined() ? learned_.unsafeGetTensorImpl() : nullptr,
          w._version(),
          learned_.defined() ? learned_._version() : 0,
          noisy ? phase_->forward : 0,
          phase_->training};
}

std::shared_ptr<const WeightCodes> TensorQuantizer::weight_codes(const ops::CodePair& pair, const at::Tensor& w) {
  const Made now = made_from(w);
  if (codes_ && made_ == now) return codes_;
  const at::NoGradGuard guard;
  codes_.reset();  // before the new ones are made: a training step holds one set at a time
  const auto [x, learned] = with_noise(w);
  WeightCodes codes;
  if (has_learned()) {
    codes.latent = x.detach().contiguous();
    codes.scales = ops::learned_scales(learned.detach(), spec_);
  }
  codes.coded = ops::code_weight(pair, x.detach().contiguous(), codes.scales, surrogate());
  made_ = now;
  codes_ = std::make_shared<const WeightCodes>(std::move(codes));
  return codes_;
}

at::Tensor TensorQuantizer::weight_value(const at::Tensor& w) {
  if (!phase_->training) return plain_value(w);
  const auto [x, learned] = with_noise(w);
  if (!phase_->blending) return surrogate_value(x, learned);
  return alpha_blend(x, learned, spec_, method_->surrogate(spec_), phase_->blend,
                     method_->scale_gradient_factor(x.numel(), spec_.grid));
}

void TensorQuantizer::start_from(const at::Tensor& x) {
  if (!has_learned() || signs_.defined()) return;
  if (learned_.item<float>() == 0)
    start_learned(x.detach(), initial_rule);
  else
    remember_signs();
}

at::Tensor TensorQuantizer::input_value(const at::Tensor& x) {
  start_from(x);
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
    std::vector<float> found;
    rows_->quantize(basis, scales_of(row, basis, found), {.value = out});
    rows_->to_latent_basis(out);
  }

  void pull(int64_t row, float* w, int64_t columns, float strength, float* scratch) const override {
    const float* basis = rows_->basis(w, scratch);
    std::vector<float> found;
    rows_->pull(w, basis, scales_of(row, basis, found), strength, scratch + columns);
  }

  at::Tensor whole(const at::Tensor& w) const override {
    const at::Tensor value = ops::fake_quant(w.detach().contiguous(), scales_, spec(), ops::pass_through(), {}).value;
    return spec().rotation == Rotation::kHadamardHalf ? ops::hadamard(value) : value;
  }

 private:
  // One a group, or one in all for tensor granularity; found: room for those that the row itself decides.
  const float* scales_of(int64_t row, const float* basis, std::vector<float>& found) const {
    if (scales_.defined()) {
      const float* known = scales_.const_data_ptr<float>();
      return per_tensor() ? known : known + row * rows_->groups();
    }
    found.resize(static_cast<size_t>(rows_->groups()));
    rows_->find_scales(basis, found.data());
    return found.data();
  }
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

// Under alpha-blending a weight is a mixture, which has no codes; products of codes are kernels.
std::optional<ops::CodePair> QuantizedLinear::code_pair(const at::Tensor& w) const {
  if (!weight || !input || !inputs || !weight->multiplies_codes() || !ops::has_kernels(w)) return std::nullopt;
  return ops::code_pair(input->spec(), weight->spec(), w.size(1));
}

at::Tensor QuantizedLinear::value(const at::Tensor& w) {
  return weight ? weight->weight_value(w) : straight_through_store(w, storage);
}

at::Tensor QuantizedLinear::product_weight(const at::Tensor& w) {
  return input || rotate_input ? at::Tensor() : value(w);
}

at::Tensor QuantizedLinear::apply(const at::Tensor& x, const at::Tensor& w) {
  if (const auto pair = code_pair(w)) {
    input->start_from(x);
    return coded_linear(*pair, *input, *weight, *inputs, x, w);
  }
  const at::Tensor q = value(w);
  if (input) return ops::linear(input->input_value(x), q);
  return ops::linear(rotate_input ? rotate(x) : x, q);
}

at::Tensor StoredValue::value(const at::Tensor& w) { return straight_through_store(w, storage_); }
at::Tensor StoredValue::apply(const at::Tensor& x, const at::Tensor& w) { return ops::linear(x, value(w)); }

}  // namespace detent
