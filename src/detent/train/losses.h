// Cross-entropies of a language model.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "detent/data/batch.h"
#include "detent/models/causal_lm.h"

namespace detent {

// Sum of the cross-entropies of all scored targets, as a scalar float32 with a graph.
at::Tensor summed_loss(CausalLm& model, const Batch& batch);

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

// The cross-entropy of each prediction in nats, float32 [predictions], without a graph. The output layer is computed
// for the positions named alone, some at a time: with a large vocabulary logits take more memory and time than the
// rest.
at::Tensor prediction_losses(CausalLm& model, const Batch& batch, const std::vector<Prediction>& predictions);

}  // namespace detent
