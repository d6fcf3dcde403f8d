// Loss of a language model over evaluation windows. Every id is scored once; the mean is taken in double.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "detent/data/batch.h"
#include "detent/data/eval_windows.h"
#include "detent/models/causal_lm.h"

namespace detent {

struct Evaluation {
  double loss = 0;  // nats a scored token
  double bits_per_byte = 0;
  int64_t tokens = 0, bytes = 0, windows = 0;
  int64_t dropped = 0, dropped_tokens = 0;  // windows left out by the convention, and the ids of text in them
  int64_t words = 0;                        // 0: not counted
  double perplexity() const;
  double perplexity_per(int64_t units) const;  // words or bytes in place of tokens
};
nlohmann::json to_json(const Evaluation& evaluation);

using EvalProgress = std::function<void(int64_t done, int64_t total)>;
Evaluation evaluate(CausalLm& model, const EvalWindows& windows, int64_t batch_size, const EvalProgress& progress = {});
// The windows in batches, the longest first, padded only where that changes nothing of what the model makes of them.
// Fails, saying why, when there are none.
void for_each_eval_batch(const CausalLm& model, const EvalWindows& windows, int64_t batch_size,
                         const EvalProgress& progress, const std::function<void(const Batch&)>& take);

// What lm-evaluation-harness divides by: the words and bytes of whole documents, whatever the tokenizer made of them.
void count_documents(Evaluation& evaluation, const std::vector<std::string>& documents);

}  // namespace detent
