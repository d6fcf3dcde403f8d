#include "detent/train/step_bench.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "detent/base/error.h"
#include "detent/models/causal_lm.h"
#include "detent/optim/optimizer.h"
#include "detent/qat/attach.h"
#include "detent/qat/presets.h"
#include "detent/train/config.h"
#include "detent/train/evaluate.h"
#include "detent/train/losses.h"

namespace detent {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// The kernel counts the highest resident size since this was last written to.
void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }
double peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return 1024.0 * std::stod(line.substr(6));
  return 0;
}

struct Times {
  double forward = 0, backward = 0, optimizer = 0;
  double total() const { return forward + backward + optimizer; }
};

struct ArmKind {
  std::string name, quant;  // the quant block; empty: full precision
};
const std::vector<ArmKind>& arm_kinds() {
  static const std::vector<ArmKind> kinds = {
      {"fp32", ""},
      {"q4_0", "{preset: q4_0}"},
      {"q2_0", "{preset: q2_0}"},
      {"quest_w4a4", "{preset: quest_w4a4}"},
      {"quest_w4a4_half",
       "{preset: quest_w4a4, weights: {rotation: hadamard_half}, activations: {rotation: hadamard_half}}"}};
  return kinds;
}

struct Shape {
  DecoderConfig config;
  int64_t rows, columns;
  std::string name() const {
    return fmt::format("hidden {}, {} layers, {} x {} tokens", config.hidden_size, config.num_hidden_layers, rows,
                       columns);
  }
};
Shape shape_of(const std::string& name) {
  const bool small = name == "small", quick = name == "quick";
  Shape shape{{}, small || quick ? 4 : 16, quick ? 64 : 256};
  shape.config.hidden_size = small ? 512 : quick ? 64 : 128;
  shape.config.intermediate_size = 3 * shape.config.hidden_size;
  if (small) {
    shape.config.vocab_size = 4096;
    shape.config.num_hidden_layers = shape.config.num_attention_heads = 8;
  }
  return shape;
}

// One model with its quantizers and optimizer, ready to step on a fixed batch.
class Arm {
 public:
  Arm(const std::string& quant, const DecoderConfig& config, const Batch& batch) : model_(config, 1), batch_(batch) {
    for (const nn::Slot& slot : model_.slots()) slot.parameter->set_requires_grad(true);
    if (!quant.empty()) {
      Node node = parse_yaml(quant, "quant");
      expand_quant(node);
      QuantOptions options;
      read_options(node, options);
      quantized_ = attach(options, model_.slots());
    }
    std::vector<OptimizedParameter> parameters;
    for (const auto& [name, quantizer] : quantized_.learned())
      parameters.push_back({name, quantizer->learned(), 0, 1, nullptr});
    for (const nn::Slot& slot : model_.slots()) parameters.push_back({slot.name, *slot.parameter, 0.1, 1, nullptr});
    optimizer_ = make_optimizer({}, std::move(parameters));
  }

  Times step() {
    Times times;
    quantized_.phase->training = true;
    for (OptimizedParameter& p : optimizer_->parameters()) p.value.mutable_grad() = at::Tensor();
    auto begin = Clock::now();
    const Hidden hidden = training_states(model_, batch_);
    times.forward = seconds_since(begin);
    begin = Clock::now();
    backpropagate(model_, hidden, batch_, static_cast<double>(batch_.scored), positions_at_a_time(model_, quantized_));
    times.backward = seconds_since(begin);
    begin = Clock::now();
    const at::NoGradGuard guard;
    optimizer_->step(++t_, 1e-4, 1.0 / std::max(1.0, gradient_norm(optimizer_->parameters())), {});
    times.optimizer = seconds_since(begin);
    return times;
  }

  double evaluation() {
    quantized_.phase->training = false;
    const auto begin = Clock::now();
    prediction_losses(model_, batch_, predictions_of(batch_));  // as detent eval does
    return seconds_since(begin);
  }

 private:
  CausalLm model_;
  Batch batch_;
  QuantizedModel quantized_;
  std::unique_ptr<Optimizer> optimizer_;
  int64_t t_ = 0;
};

struct Samples {
  std::vector<double> total, forward, backward, optimizer, ratio, evaluation, evaluation_ratio;
  double peak = 0;
};

Batch fixed_batch(int64_t rows, int64_t columns) {
  Batch batch(rows, columns, 0);
  for (size_t i = 0; i < batch.inputs.size(); ++i) {
    batch.inputs[i] = static_cast<int64_t>((i * 7919 + i / 13) % 251);
    batch.targets[i] = static_cast<int64_t>((i * 7919 + i / 13 + 1) % 251);
  }
  batch.scored = rows * columns;
  return batch;
}

void take(Samples& into, Arm& arm, const Samples& baseline, bool is_baseline) {
  reset_peak();
  const Times times = arm.step();
  into.peak = std::max(into.peak, peak_bytes());
  into.total.push_back(times.total());
  into.forward.push_back(times.forward);
  into.backward.push_back(times.backward);
  into.optimizer.push_back(times.optimizer);
  into.evaluation.push_back(arm.evaluation());
  if (is_baseline) return;
  into.ratio.push_back(into.total.back() / baseline.total.back());
  into.evaluation_ratio.push_back(into.evaluation.back() / baseline.evaluation.back());
}

}  // namespace

const std::vector<std::string>& step_bench_arms() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const ArmKind& kind : arm_kinds()) all.push_back(kind.name);
    return all;
  }();
  return names;
}

std::vector<StepBenchRow> bench_steps(const StepBenchOptions& options) {
  const Shape size = shape_of(options.shape);
  const Batch batch = fixed_batch(size.rows, size.columns);
  std::vector<std::string> names;
  std::vector<std::unique_ptr<Arm>> arms;
  for (const ArmKind& kind : arm_kinds()) {
    if (!options.arms.empty() && std::ranges::find(options.arms, kind.name) == options.arms.end()) continue;
    names.push_back(kind.name);
    arms.push_back(std::make_unique<Arm>(kind.quant, size.config, batch));
  }
  std::vector<Samples> samples(arms.size()), warm_up(arms.size());
  const int rounds = options.shape == "quick" ? 3 : options.shape == "small" ? 6 : 12;
  for (int round = 0; round < rounds; ++round)  // round 0 warms up
    for (size_t i = 0; i < arms.size(); ++i) {
      std::vector<Samples>& into = round == 0 ? warm_up : samples;
      take(into[i], *arms[i], into[0], i == 0);
    }
  std::vector<StepBenchRow> table;
  const std::string shape = size.name(), baseline = names[0];
  for (size_t i = 0; i < arms.size(); ++i) {
    const Samples& s = samples[i];
    const std::string& name = names[i];
    table.push_back({"step " + name, shape, at::get_num_threads(), median(s.total), median(s.forward),
                     median(s.backward), median(s.optimizer), s.peak, i == 0 ? "" : "step " + baseline,
                     i == 0 ? 1.0 : median(s.ratio)});
    table.push_back({"evaluation " + name, shape, at::get_num_threads(), median(s.evaluation), 0, 0, 0, 0,
                     i == 0 ? "" : "evaluation " + baseline, i == 0 ? 1.0 : median(s.evaluation_ratio)});
  }
  return table;
}

}  // namespace detent
