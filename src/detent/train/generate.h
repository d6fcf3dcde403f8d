// Text from a model, one id at a time. The whole context is read again for every id.
#pragma once
#include <functional>

#include "detent/data/tokenizer.h"
#include "detent/models/causal_lm.h"

namespace detent {

struct GenerateOptions {
  int64_t tokens = 100;
  double temperature = 0;  // 0: the most likely id
  int64_t top_k = 0;       // 0: all
  double top_p = 1;
  uint64_t seed = 0;
};

// Ids that follow prompt; ends early at the end-of-text id. Each id is handed to on_token as it comes.
std::vector<int32_t> generate(CausalLm& model, const std::vector<int32_t>& prompt, int32_t end_of_text,
                              const GenerateOptions& options, const std::function<void(int32_t)>& on_token);

}  // namespace detent
