#include "detent/train/bench_arm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>

#include "detent/base/error.h"
#include "detent/qat/presets.h"
#include "detent/train/config.h"
#include "detent/train/evaluate.h"
#include "detent/train/losses.h"
#include "detent/train/operation_times.h"

namespace detent {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

Batch fixed_batch(int64_t rows, int64_t columns) {
  Batch batch(rows, columns, 0);
  for (size_t i = 0; i < batch.inputs.size(); ++i) {
    batch.inputs[i] = static_cast<int64_t>((i * 7919 + i / 13) % 251);
    batch.targets[i] = static_cast<int64_t>((i * 7919 + i / 13 + 1) % 251);
  }
  batch.scored = rows * columns;
  return batch;
}

double bytes_of(const at::Tensor& x) { return x.defined() ? static_cast<double>(x.nbytes()) : 0; }

}  // namespace

double median_of(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

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

const ArmKind& arm_kind(const std::string& name) {
  return *std::ranges::find_if(arm_kinds(), [&](const ArmKind& kind) { return kind.name == name; });
}

std::string StepShape::name() const {
  return fmt::format("hidden {}, {} layers, {} x {} tokens", config.hidden_size, config.num_hidden_layers, rows,
                     columns);
}

StepShape step_shape(const std::string& name) {
  const bool small = name == "small", quick = name == "quick";
  StepShape shape{{}, small || quick ? 4 : 16, quick ? 64 : 256};
  shape.config.hidden_size = small ? 512 : quick ? 64 : 128;
  shape.config.intermediate_size = 3 * shape.config.hidden_size;
  if (small) {
    shape.config.vocab_size = 4096;
    shape.config.num_hidden_layers = shape.config.num_attention_heads = 8;
  }
  return shape;
}

BenchArm::BenchArm(const ArmKind& kind, const StepShape& shape)
    : model_(shape.config, 1), batch_(fixed_batch(shape.rows, shape.columns)) {
  for (const nn::Slot& slot : model_.slots()) slot.parameter->set_requires_grad(true);
  if (!kind.quant.empty()) {
    Node node = parse_yaml(kind.quant, "quant");
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

// The output layer alone, on states that nothing lies before.
double BenchArm::output_seconds() {
  quantized_.phase->training = true;
  clear_gradients();
  const DecoderConfig& config = model_.config();
  const at::Tensor states = at::randn({batch_.rows, batch_.columns, config.hidden_size}).set_requires_grad(true);
  Hidden hidden;
  hidden.states = states.mul(1);
  const auto begin = Clock::now();
  backpropagate(model_, hidden, batch_, static_cast<double>(batch_.scored), positions_at_a_time(model_, quantized_));
  return seconds_since(begin);
}

StepTimes BenchArm::step() {
  const double output = output_seconds();
  StepTimes times = take_step();
  times.output = output;
  times.backward = std::max(0.0, times.backward - output);
  return times;
}

// The output layer counts as backward.
StepTimes BenchArm::take_step() {
  StepTimes times;
  Clock::time_point begin;
  const auto lap = [&begin] {
    const double took = seconds_since(begin);
    begin = Clock::now();
    return took;
  };
  quantized_.phase->training = true;
  clear_gradients();
  begin = Clock::now();
  const Hidden hidden = training_states(model_, batch_);
  times.forward = lap();
  backpropagate(model_, hidden, batch_, static_cast<double>(batch_.scored), positions_at_a_time(model_, quantized_));
  times.backward = lap();
  const at::NoGradGuard guard;
  const double norm = gradient_norm(optimizer_->parameters());
  times.norm = lap();
  optimizer_->step(++t_, 1e-4, 1.0 / std::max(1.0, norm), {});
  times.optimizer = lap();
  return times;
}

void BenchArm::clear_gradients() {
  for (OptimizedParameter& p : optimizer_->parameters()) p.value.mutable_grad() = at::Tensor();
}

double BenchArm::evaluation() {
  quantized_.phase->training = false;
  const auto begin = Clock::now();
  prediction_losses(model_, batch_, predictions_of(batch_));  // as detent eval does
  return seconds_since(begin);
}

std::map<std::string, double> BenchArm::step_by_operation() {
  const OperationTimes times;
  double rest = take_step().total();
  std::map<std::string, double> parts = times.seconds();
  for (const auto& [name, seconds] : parts) rest -= seconds;
  parts["own kernels and autograd"] = std::max(0.0, rest);
  return parts;
}

HeldBytes BenchArm::held() {
  HeldBytes bytes;
  for (OptimizedParameter& p : optimizer_->parameters()) {
    bytes.weights += bytes_of(p.value);
    bytes.gradients += bytes_of(p.value.grad());
  }
  for (const auto& [name, state] : optimizer_->state()) bytes.optimizer += bytes_of(state);
  return bytes;
}

StepWork BenchArm::work() {
  TrainConfig config;
  config.data.sequence_length = batch_.columns;
  config.train.batch_size = batch_.rows;
  return step_work(model_.config(), model_.slots(), quantized_, optimizer_->parameters(), config, true);
}

}  // namespace detent
