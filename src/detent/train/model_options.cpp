#include "detent/train/model_options.h"

#include <algorithm>

#include "detent/base/key_error.h"

namespace detent {

namespace {

using nlohmann::json;

// The keys that are given, as config.json has them.
class GivenKeys {
 public:
  json root = json::object();

  template <class T, class... C>
  void field(const std::string& name, std::optional<T>& value, const char*, const C&...) {
    if (value) root[name] = *value;
  }
  void field(const std::string& name, std::string& value, const char*) {
    if (!value.empty()) root[name] = value;
  }
  template <class T>
  void group(const std::string& name, std::optional<T>& value, const char*) {
    if (!value) return;
    GivenKeys inner;
    value->visit(inner);
    root[name] = inner.root;
  }
};

// What a new model has unless told otherwise; an explicit null keeps transformers' own default for an absent key away.
json fresh(int64_t tokenizer_vocab, int64_t sequence_length) {
  const DecoderConfig d;
  return {{"vocab_size", tokenizer_vocab},
          {"hidden_size", d.hidden_size},
          {"num_hidden_layers", d.num_hidden_layers},
          {"num_attention_heads", d.num_attention_heads},
          {"num_key_value_heads", nullptr},
          {"head_dim", nullptr},
          {"max_position_embeddings", std::max(sequence_length, d.max_position_embeddings)},
          {"rms_norm_eps", d.rms_norm_eps},
          {"sliding_window", nullptr}};
}

}  // namespace

DecoderConfig new_model_config(const ModelOptions& options, int64_t tokenizer_vocab, int64_t sequence_length) {
  GivenKeys given;
  ModelOptions copy = options;  // a visit may write
  copy.visit_shape(given);
  json root = fresh(tokenizer_vocab, sequence_length);
  root.update(given.root);
  root["model_type"] = options.architecture;
  if (!options.intermediate_size) root["intermediate_size"] = 3 * root["hidden_size"].get<int64_t>();
  if (root["vocab_size"].get<int64_t>() < tokenizer_vocab)
    fail_key("model.vocab_size", "= {} is smaller than the tokenizer's {}; raise it or drop it",
             root["vocab_size"].dump(), tokenizer_vocab);
  DecoderConfig config = at_key("model", [&] { return decoder_config_from_json(root, "a new model"); });
  const bool asks = options.sliding_window || options.use_sliding_window.value_or(false) || options.max_window_layers;
  if (asks && config.sliding_layers.empty())
    fail_key("model.sliding_window",
             "has no effect: no layer has a window; set use_sliding_window: true and max_window_layers "
             "below the number of layers, or drop these keys");
  config.carried = json::object();
  return config;
}

}  // namespace detent
