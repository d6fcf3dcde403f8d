#include "detent/train/losses.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <limits>

#include "detent/ops/output_loss.h"

namespace detent {

namespace {

constexpr int64_t kLogits = 16 << 20;           // computed at a time: 64 MB
constexpr int64_t kStatesWithoutLogits = 4096;  // likewise, where each leaves one sum per block of the vocabulary
constexpr int64_t kTrainingLogits = 2 << 20;    // likewise, three times over: logits, their softmax, their gradient
constexpr int64_t kLeastPositions = 128;  // each time the output layer's weights are read and their gradient added

// Whole numbers of a batch, copied to where the model is.
at::Tensor numbers(const CausalLm& model, const std::vector<int64_t>& values, at::IntArrayRef shape) {
  const at::Tensor here = at::from_blob(const_cast<int64_t*>(values.data()), shape, at::kLong);
  return here.to(model.device(), /*non_blocking=*/false, /*copy=*/true);
}

at::Tensor ids_tensor(const CausalLm& model, const std::vector<int64_t>& ids, const Batch& batch) {
  return numbers(model, ids, {batch.rows, batch.columns});
}

at::Tensor segments_tensor(const CausalLm& model, const Batch& batch) {
  return batch.segments.empty() ? at::Tensor() : ids_tensor(model, batch.segments, batch);
}

}  // namespace

at::Tensor summed_loss(CausalLm& model, const Batch& batch) {
  const at::Tensor logits = model.logits(ids_tensor(model, batch.inputs, batch), segments_tensor(model, batch));
  const at::Tensor targets = ids_tensor(model, batch.targets, batch).view(-1);
  return at::cross_entropy_loss(logits.view({-1, logits.size(-1)}), targets, {}, at::Reduction::Sum, kNotScored);
}

int64_t positions_at_a_time(int64_t vocab_size, bool head_input_learned) {
  if (head_input_learned) return std::numeric_limits<int64_t>::max();
  return std::max(kLeastPositions, kTrainingLogits / vocab_size);
}

int64_t positions_at_a_time(const CausalLm& model, const QuantizedModel& quantized) {
  const auto learns = [](const QuantizedLayer& layer) {
    return layer.slot.role == nn::Role::kHead && layer.input && layer.input->has_learned();
  };
  return positions_at_a_time(model.config().vocab_size,
                             std::any_of(quantized.layers.begin(), quantized.layers.end(), learns));
}

Hidden training_states(CausalLm& model, const Batch& batch) {
  return model.hidden_states(ids_tensor(model, batch.inputs, batch), segments_tensor(model, batch));
}

double backpropagate(CausalLm& model, const Hidden& hidden, const Batch& batch, double divisor, int64_t at_a_time) {
  const auto leaf = [](const at::Tensor& x) { return x.detach().set_requires_grad(true); };
  const at::Tensor states = leaf(hidden.states), table = hidden.table.defined() ? leaf(hidden.table) : at::Tensor();
  const at::Tensor rows = states.view({-1, states.size(-1)}),
                   targets = ids_tensor(model, batch.targets, batch).view(-1);
  const int64_t count = rows.size(0), chunk = std::min(count, at_a_time);
  double nats = 0;
  for (int64_t first = 0; first < count; first += chunk) {
    const int64_t size = std::min(chunk, count - first);
    const at::Tensor loss = at::cross_entropy_loss(model.output_layer(rows.narrow(0, first, size), table),
                                                   targets.narrow(0, first, size), {}, at::Reduction::Sum, kNotScored);
    nats += loss.item<double>();
    loss.div(divisor).backward();
  }
  std::vector<at::Tensor> outputs, gradients;
  const auto add = [&](const at::Tensor& output, const at::Tensor& gradient) {
    if (!output.defined() || !output.requires_grad()) return;
    outputs.push_back(output);
    gradients.push_back(gradient);
  };
  add(hidden.states, states.grad());
  if (table.defined()) add(hidden.table, table.grad());
  torch::autograd::backward(outputs, gradients);
  return nats;
}

std::vector<Prediction> predictions_of(const Batch& batch) {
  std::vector<Prediction> predictions;
  predictions.reserve(static_cast<size_t>(batch.scored));
  for (size_t i = 0; i < batch.targets.size(); ++i)
    if (batch.targets[i] != kNotScored) predictions.push_back({static_cast<int64_t>(i), batch.targets[i]});
  return predictions;
}

Hidden states_of(CausalLm& model, const Batch& batch, const std::vector<Prediction>& predictions) {
  const at::NoGradGuard guard;
  std::vector<int64_t> positions;
  for (const Prediction& prediction : predictions) positions.push_back(prediction.position);
  Hidden hidden = training_states(model, batch);
  hidden.states = hidden.states.view({-1, hidden.states.size(-1)})
                      .index_select(0, numbers(model, positions, {static_cast<int64_t>(positions.size())}));
  return hidden;
}

int64_t states_at_a_time(const CausalLm& model) { return std::max<int64_t>(64, kLogits / model.config().vocab_size); }

at::Tensor prediction_losses(CausalLm& model, const Batch& batch, const std::vector<Prediction>& predictions) {
  const at::NoGradGuard guard;
  const auto count = static_cast<int64_t>(predictions.size());
  std::vector<int64_t> ids;
  for (const Prediction& prediction : predictions) ids.push_back(prediction.target);
  const at::Tensor targets = numbers(model, ids, {count});
  const Hidden hidden = states_of(model, batch, predictions);
  const int64_t chunk = states_at_a_time(model);
  if (const at::Tensor weight = model.output_weight(hidden.table); weight.defined())
    return ops::output_losses(hidden.states, weight, targets, chunk).to(at::kCPU);
  at::Tensor losses = at::empty({count}, at::kFloat);
  for (int64_t first = 0; first < count; first += chunk) {
    const int64_t size = std::min(chunk, count - first);
    losses.narrow(0, first, size)
        .copy_(at::cross_entropy_loss(model.output_layer(hidden.states.narrow(0, first, size), hidden.table),
                                      targets.narrow(0, first, size), {}, at::Reduction::None));
  }
  return losses;
}

}  // namespace detent
