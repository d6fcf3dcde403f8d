#include "detent/train/speed_of_light.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "detent/data/packing.h"
#include "detent/ops/coded.h"

namespace detent {

namespace {

using Clock = std::chrono::steady_clock;

// A weight's products by one token: forward, and backward to input and weight.
void add_products(StepWork& work, double products, bool codes) {
  (codes ? work.integer_products : work.float_products) += products;
  work.float_products += 2 * products;
}

// Keys that a position sees, on average over a window. Of documents side by side that is not known beforehand, and
// nothing is counted.
double keys_of_a_position(const DecoderConfig& model, int64_t layer, const TrainConfig& config) {
  if (packing_of(config.data) == Packing::kDocuments) return 0;
  const int64_t length = config.data.sequence_length, window = model.window(layer);
  const int64_t reach = window > 0 ? std::min(window, length) : length;
  // reach - 1 positions at the beginning see fewer
  const double seen = static_cast<double>(reach) * static_cast<double>(reach + 1) / 2 +
                      static_cast<double>(length - reach) * static_cast<double>(reach);
  return seen / static_cast<double>(length);
}

// Read: weight, gradient, moments. Written: weight, moments.
double optimizer_bytes_per_element(const OptimizerOptions& options) {
  if (options.name == "adamw") return 4 * (4 + 3);
  return options.momentum > 0 ? 4 * (3 + 2) : 4 * (2 + 1);
}

// About as many floats as there are parameters: a small model's stay in cache.
int64_t floats_to_move(const StepWork& work) {
  return std::clamp(static_cast<int64_t>(work.bytes) / 32, int64_t{1} << 16, int64_t{1} << 24);
}

// The best of some calls. Reading a value waits for a device that works beside the program.
double best_seconds(const at::Tensor& result, const std::function<void()>& run) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = Clock::now();
    run();
    result.view(-1)[0].item();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return std::max(best, 1e-9);
}

// By LibTorch's own products and copies.
Peaks peaks_of_another_device(const StepWork& work, const at::Device& device) {
  constexpr int64_t kSize = 4096;
  const auto options = at::TensorOptions(at::kFloat).device(device);
  at::Tensor a = at::full({kSize, kSize}, 0.5, options), product = at::empty_like(a);
  const int64_t n = floats_to_move(work);
  const at::Tensor from = at::ones({n}, options), to = at::empty_like(from);
  Peaks peaks;
  peaks.floats = 2.0 * kSize * kSize * kSize / best_seconds(product, [&] { at::mm_out(product, a, a); });
  peaks.bytes = 8.0 * static_cast<double>(n) / best_seconds(to, [&] { to.copy_(from); });
  return peaks;
}

}  // namespace

StepWork step_work(const DecoderConfig& model, const std::vector<nn::Slot>& slots, const QuantizedModel& quantized,
                   const std::vector<OptimizedParameter>& parameters, const TrainConfig& config, bool kernels) {
  StepWork work;
  for (size_t i = 0; i < slots.size(); ++i) {
    const auto elements = static_cast<double>(slots[i].parameter->numel());
    const QuantizedLayer* layer = i < quantized.layers.size() ? &quantized.layers[i] : nullptr;
    const bool codes = kernels && layer && layer->weight && layer->input && !config.alpha_blending &&
                       ops::code_pair(layer->input->spec(), layer->weight->spec(), slots[i].parameter->size(-1));
    if (slots[i].linear_rule) add_products(work, elements, codes);
    if (slots[i].role == nn::Role::kEmbedding && model.tie_word_embeddings) add_products(work, elements, false);
    if (layer && layer->weight) work.bytes += elements * (4 + (codes ? 1 : 4));  // quantized once a step
  }
  const auto width = static_cast<double>(model.num_attention_heads * model.head_size());
  for (int64_t i = 0; i < model.num_hidden_layers; ++i)
    for (int j = 0; j < 2; ++j) add_products(work, width * keys_of_a_position(model, i, config), false);
  const auto tokens =
      static_cast<double>(config.train.batch_size * config.data.sequence_length * config.train.gradient_accumulation);
  work.float_products *= tokens, work.integer_products *= tokens;
  for (const OptimizedParameter& parameter : parameters)
    work.bytes += optimizer_bytes_per_element(config.optimizer) * static_cast<double>(parameter.value.numel());
  return work;
}

Peaks peaks_for(const StepWork& work, const at::Device& device) {
  constexpr double kSeconds = 0.02;
  const at::NoGradGuard guard;
  return device.is_cpu() ? measure_peaks(kSeconds, floats_to_move(work)) : peaks_of_another_device(work, device);
}

double least_seconds(const StepWork& work, const Peaks& peaks) {
  const double integers = peaks.integers > 0 ? peaks.integers : peaks.floats;
  return 2 * work.float_products / peaks.floats + 2 * work.integer_products / integers + work.bytes / peaks.bytes;
}

}  // namespace detent
