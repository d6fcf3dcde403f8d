// Qwen3 (arXiv 2505.09388): Qwen2 without its biases, and with RMSNorm over each head of q and k.
#include "detent/architectures/architecture.h"

namespace detent {

namespace {
void defaults(DecoderConfig& config) {
  config.max_position_embeddings = 32768;
  config.num_key_value_heads = 32;
  config.head_dim = 128;
  config.qk_norm = true;
}

void visit(ConfigKeys& keys, DecoderConfig& config) {
  visit_common(keys, config);
  keys.flag("attention_bias", config.qkv_bias);
  config.output_bias = config.qkv_bias;
  keys.window_by_layer(config);
}
}  // namespace

extern const Architecture architecture_qwen3;
const Architecture architecture_qwen3 = {"Qwen3ForCausalLM", "Qwen3 (dense)", defaults, visit};

}  // namespace detent
