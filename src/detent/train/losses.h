// Cross-entropies of a language model.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "detent/data/batch.h"
#include "detent/models/causal_lm.h"
#include "detent/qat/attach.h"

namespace detent {

// Sum of the cross-entropies of all scored targets, as a scalar float32 with a graph, over logits of all positions at
// once: the plain twin of what follows, and for looks at a forward.
at::Tensor summed_loss(CausalLm& model, const Batch& batch);

// The same sum in nats, and its gradient: forward up to the states, then the output layer, its loss and its backward
// together for some positions at a time, so that logits are never whole, and then back through the blocks. Adds the
// gradients of sum / divisor to those of the parameters.
Hidden training_states(CausalLm& model, const Batch& batch);
double backpropagate(CausalLm& model, const Hidden& hidden, const Batch& batch, double divisor, int64_t at_a_time);
// Positions whose logits live at once in training: few enough for memory; all of them where the head's input has a
// learned scale, whose start and whose gradient's factor (LSQ's 1 / sqrt(elements)) are of the whole batch.
int64_t positions_at_a_time(int64_t vocab_size, bool head_input_learned);
int64_t positions_at_a_time(const CausalLm& model, const QuantizedModel& quantized);

// What may follow a position: the loss of `target` after the inputs up to row * columns + column.
struct Prediction {
  int64_t position = 0, target = 0;
};
// All scored targets of a batch, row by row.
std::vector<Prediction> predictions_of(const Batch& batch);

// The states of those positions after the last norm, [predictions, hidden], without a graph; what the output layer
// makes of them is computed for so many at a time.
Hidden states_of(CausalLm& model, const Batch& batch, const std::vector<Prediction>& predictions);
int64_t states_at_a_time(const CausalLm& model);

// The cross-entropy of each prediction in nats, float32 [predictions] on the CPU, without a graph. The output layer is
// computed for the positions named alone, some at a time: with a large vocabulary logits take more memory and time than
// the rest.
at::Tensor prediction_losses(CausalLm& model, const Batch& batch, const std::vector<Prediction>& predictions);

}  // namespace detent
