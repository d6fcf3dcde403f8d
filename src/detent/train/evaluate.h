// Loss of a language model over evaluation windows. Every id is scored once; the mean is taken in double.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "detent/data/batch.h"
#include "detent/data/eval_windows.h"
#include "detent/models/causal_lm.h"

namespace detent {

struct Evaluation {
  double loss = 0;  // nats a scored token
  double bits_per_byte = 0;
  int64_t tokens = 0, bytes = 0, windows = 0, dropped = 0;
  double perplexity() const;
};
nlohmann::json to_json(const Evaluation& evaluation);

using EvalProgress = std::function<void(int64_t done, int64_t total)>;
Evaluation evaluate(CausalLm& model, const EvalWindows& windows, int64_t batch_size, const EvalProgress& progress = {});

// Sum of the cross-entropies of all scored targets, as a scalar float32 with a graph.
at::Tensor summed_loss(CausalLm& model, const Batch& batch);

}  // namespace detent
