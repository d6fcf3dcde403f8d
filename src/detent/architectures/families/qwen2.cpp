// Qwen2 and Qwen2.5 (arXiv 2407.10671): Llama with biases on q, k and v, and a sliding window in the upper layers.
#include "detent/architectures/architecture.h"

namespace detent {

namespace {
void defaults(DecoderConfig& config) {
  config.max_position_embeddings = 32768;
  config.num_key_value_heads = 32;
  config.qkv_bias = true;
}

void visit(ConfigKeys& keys, DecoderConfig& config) {
  visit_common(keys, config);
  keys.window_by_layer(config);
  keys.only("use_mrope", false);
}
}  // namespace

extern const Architecture architecture_qwen2;
const Architecture architecture_qwen2 = {"Qwen2ForCausalLM", "Qwen2, Qwen2.5", defaults, visit};

}  // namespace detent
