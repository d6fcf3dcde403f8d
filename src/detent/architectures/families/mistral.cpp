// Mistral 7B (arXiv 2310.06825): Llama with a sliding window in every layer, or none.
#include "detent/architectures/architecture.h"

namespace detent {

namespace {
void defaults(DecoderConfig& config) {
  config.max_position_embeddings = 4096 * 32;
  config.num_key_value_heads = 8;
  config.sliding_window = 4096;
}

void visit(ConfigKeys& keys, DecoderConfig& config) {
  visit_common(keys, config);
  keys.size("sliding_window", config.sliding_window);
  config.sliding_layers.assign(config.sliding_window > 0 ? static_cast<size_t>(config.num_hidden_layers) : 0, true);
}
}  // namespace

extern const Architecture architecture_mistral;
const Architecture architecture_mistral = {"MistralForCausalLM", "Mistral 7B, Mistral Nemo", defaults, visit};

}  // namespace detent
