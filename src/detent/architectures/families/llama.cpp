// Llama (arXiv 2302.13971, 2307.09288, 2407.21783): RMSNorm, rotary embedding, grouped-query attention, SwiGLU.
#include "detent/architectures/architecture.h"

namespace detent {

namespace {
void defaults(DecoderConfig& config) { config.max_position_embeddings = 2048; }

void visit(ConfigKeys& keys, DecoderConfig& config) {
  visit_common(keys, config);
  keys.flag("attention_bias", config.qkv_bias);
  config.output_bias = config.qkv_bias;
  keys.flag("mlp_bias", config.mlp_bias);
  keys.only("rope_interleaved", false);  // SmolLM's note that q and k are stored in Hugging Face's order
}
}  // namespace

extern const Architecture architecture_llama;
const Architecture architecture_llama = {"LlamaForCausalLM", "Llama 1, 2 and 3.x, TinyLlama, SmolLM, SmolLM2", defaults,
                                         visit};

}  // namespace detent
