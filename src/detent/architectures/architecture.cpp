#include "detent/architectures/architecture.h"

#include "detent/base/error.h"
#include "detent/base/json.h"

namespace detent {

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const NamedArchitecture& known : all_architectures()) names.push_back(known.name);
  return names;
}

const Architecture& find_architecture(std::string_view name, std::string_view source) {
  for (const NamedArchitecture& known : all_architectures())
    if (known.name == name) return *known.architecture;
  fail("{}: model_type {} is not handled; known: {}", source, in_quotes(name), fmt::join(architecture_names(), ", "));
}

void visit_common(ConfigKeys& keys, DecoderConfig& config) {
  keys.required("vocab_size", config.vocab_size);
  keys.required("hidden_size", config.hidden_size);
  keys.required("intermediate_size", config.intermediate_size);
  keys.required("num_hidden_layers", config.num_hidden_layers);
  keys.required("num_attention_heads", config.num_attention_heads);
  keys.size("num_key_value_heads", config.num_key_value_heads);
  keys.size("head_dim", config.head_dim);
  keys.size("max_position_embeddings", config.max_position_embeddings);
  keys.number("rms_norm_eps", config.rms_norm_eps);
  keys.number("initializer_range", config.initializer_range);
  keys.flag("tie_word_embeddings", config.tie_word_embeddings);
  keys.only("hidden_act", "silu");
  keys.rope(config);
}

}  // namespace detent
