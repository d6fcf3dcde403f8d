// Text from a model, one id at a time.
#pragma once
#include <functional>

#include "detent/models/causal_lm.h"

namespace detent {

struct GenerateOptions {
  int64_t tokens = 100;
  double temperature = 0;         // 0: the most likely id
  int64_t top_k = 0;              // 0: all
  double top_p = 1;               // arXiv 1904.09751
  double repetition_penalty = 1;  // arXiv 1909.05858, section 4.1, over all ids so far as in transformers; 1: none
  uint64_t seed = 0;
  std::vector<int32_t> stop = {};  // ids that end the text and are no part of it
};

enum class StopReason { kTokens, kStopId, kCaller, kContextFull };

struct Generated {
  std::vector<int32_t> ids;
  StopReason reason = StopReason::kTokens;
  double prompt_seconds = 0, seconds = 0;  // until the prompt was read; from there on
};

// Ids that follow prompt, which must not be empty nor longer than the model's context. Each is handed to on_token as it
// comes, which ends the text by returning false.
Generated generate(CausalLm& model, const std::vector<int32_t>& prompt, const GenerateOptions& options,
                   const std::function<bool(int32_t)>& on_token);

// The id that options pick after `context` from these logits [vocab]; draw: how many were picked before.
int32_t sample(std::vector<float> logits, const std::vector<int32_t>& context, const GenerateOptions& options,
               uint64_t draw);

}  // namespace detent
