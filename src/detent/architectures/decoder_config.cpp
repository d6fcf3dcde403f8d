#include "detent/architectures/decoder_config.h"

#include <algorithm>
#include <cmath>

#include "detent/base/error.h"

namespace detent {

namespace {

// Keys of config.json that name things, steer other programs or only matter for training elsewhere.
const std::vector<std::string> kIgnored = {
    "_name_or_path",     "architectures",  "bos_token_id",         "eos_token_id",      "pad_token_id",
    "torch_dtype",       "dtype",          "transformers_version", "use_cache",         "model_type",
    "attention_dropout", "pretraining_tp", "return_dict",          "output_attentions", "output_hidden_states",
    "initializer_range", "is_llama_config"};

// Keys that change the maths, with the only value this version handles.
struct Fixed {
  const char* key;
  nlohmann::json allowed;
};
const std::vector<Fixed>& fixed_keys() {
  static const std::vector<Fixed> keys = {{"hidden_act", "silu"},
                                          {"attention_bias", false},
                                          {"mlp_bias", false},
                                          {"rope_scaling", nullptr},
                                          {"rope_interleaved", false}};
  return keys;
}

template <class T>
void take(const nlohmann::json& json, const char* key, T& value, const std::string& source, bool required = false) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) {
    if (required) fail("{}: '{}' is missing", source, key);
    return;
  }
  const bool ok = std::is_same_v<T, bool>     ? found->is_boolean()
                  : std::is_same_v<T, double> ? found->is_number()
                                              : found->is_number_integer();
  if (!ok) fail("{}: '{}' has the wrong type: {}", source, key, found->dump());
  value = found->get<T>();
}

// The newer spelling: {"rope_parameters": {"rope_theta": 10000, "rope_type": "default"}}.
void take_rope(const nlohmann::json& json, DecoderConfig& config, const std::string& source) {
  const auto rope = json.find("rope_parameters");
  if (rope == json.end() || rope->is_null()) return;
  if (!rope->is_object()) fail("{}: 'rope_parameters' is not a block of keys", source);
  for (const auto& [key, value] : rope->items()) {
    if (key == "rope_theta") continue;
    if (key != "rope_type" || value != "default")
      fail("{}: rope_parameters.{} = {} changes the maths and is not handled", source, key, value.dump());
  }
  take(*rope, "rope_theta", config.rope_theta, source);
}

void check_keys(const nlohmann::json& json, const std::string& source) {
  static const std::vector<std::string> read = {
      "vocab_size",          "hidden_size",         "intermediate_size", "num_hidden_layers",
      "num_attention_heads", "num_key_value_heads", "head_dim",          "max_position_embeddings",
      "rms_norm_eps",        "rope_theta",          "rope_parameters",   "tie_word_embeddings"};
  for (const auto& [key, value] : json.items()) {
    const auto known = [&key = key](const std::vector<std::string>& names) {
      return std::find(names.begin(), names.end(), key) != names.end();
    };
    if (known(read) || known(kIgnored)) continue;
    const auto fixed =
        std::find_if(fixed_keys().begin(), fixed_keys().end(), [&key = key](const Fixed& f) { return key == f.key; });
    if (fixed == fixed_keys().end())
      fail("{}: unknown key '{}': it may change the maths, so the model is not loaded", source, key);
    if (value != fixed->allowed && !value.is_null())
      fail("{}: {} = {} is not handled, only {}", source, key, value.dump(), fixed->allowed.dump());
  }
}

}  // namespace

int64_t DecoderConfig::parameter_count() const {
  const int64_t q = num_attention_heads * head_size(), kv = kv_heads() * head_size();
  const int64_t layer = hidden_size * (2 * q + 2 * kv) + 3 * hidden_size * intermediate_size + 2 * hidden_size;
  return num_hidden_layers * layer + hidden_size + (tie_word_embeddings ? 1 : 2) * vocab_size * hidden_size;
}

void DecoderConfig::check() const {
  constexpr int64_t kMost = int64_t{1} << 24;  // keeps every product of two sizes far from overflow
  const std::pair<const char*, int64_t> sizes[] = {{"vocab_size", vocab_size},
                                                   {"hidden_size", hidden_size},
                                                   {"intermediate_size", intermediate_size},
                                                   {"num_hidden_layers", num_hidden_layers},
                                                   {"num_attention_heads", num_attention_heads},
                                                   {"num_key_value_heads", kv_heads()},
                                                   {"max_position_embeddings", max_position_embeddings}};
  for (const auto& [name, value] : sizes)
    if (value < 1 || value > kMost) fail("[llama] {} = {} is out of range: 1 to {}", name, value, kMost);
  if (head_dim == 0 && hidden_size % num_attention_heads != 0)
    fail("[llama] hidden_size {} is not a multiple of num_attention_heads {}; change one, or give head_dim",
         hidden_size, num_attention_heads);
  if (head_size() < 2 || head_size() % 2 != 0 || head_size() > kMost)
    fail("[llama] head_dim {} must be even: rotary embedding turns pairs", head_size());
  if (num_attention_heads % kv_heads() != 0)
    fail("[llama] num_attention_heads {} is not a multiple of num_key_value_heads {}", num_attention_heads, kv_heads());
  if (!(rms_norm_eps >= 0) || !(rope_theta > 0) || !std::isfinite(rope_theta) || !std::isfinite(rms_norm_eps))
    fail("[llama] rms_norm_eps {} and rope_theta {} must be positive numbers", rms_norm_eps, rope_theta);
}

DecoderConfig decoder_config_from_json(const nlohmann::json& json, const std::string& source) {
  if (!json.is_object()) fail("{}: not a block of keys", source);
  if (json.value("model_type", nlohmann::json()) != "llama")
    fail("{}: model_type {} is not handled; this version loads llama", source,
         json.value("model_type", nlohmann::json()).dump());
  check_keys(json, source);
  DecoderConfig config;
  config.rms_norm_eps = 1e-6;  // what transformers takes where the key is absent; new models have 1e-5
  take(json, "vocab_size", config.vocab_size, source, true);
  take(json, "hidden_size", config.hidden_size, source, true);
  take(json, "intermediate_size", config.intermediate_size, source, true);
  take(json, "num_hidden_layers", config.num_hidden_layers, source, true);
  take(json, "num_attention_heads", config.num_attention_heads, source, true);
  take(json, "num_key_value_heads", config.num_key_value_heads, source);
  take(json, "head_dim", config.head_dim, source);
  take(json, "max_position_embeddings", config.max_position_embeddings, source);
  take(json, "rms_norm_eps", config.rms_norm_eps, source);
  take(json, "rope_theta", config.rope_theta, source);
  take(json, "tie_word_embeddings", config.tie_word_embeddings, source);
  take_rope(json, config, source);
  config.check();
  return config;
}

nlohmann::json to_json(const DecoderConfig& config) {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"vocab_size", config.vocab_size},
          {"hidden_size", config.hidden_size},
          {"intermediate_size", config.intermediate_size},
          {"num_hidden_layers", config.num_hidden_layers},
          {"num_attention_heads", config.num_attention_heads},
          {"num_key_value_heads", config.kv_heads()},
          {"head_dim", config.head_size()},
          {"max_position_embeddings", config.max_position_embeddings},
          {"rms_norm_eps", config.rms_norm_eps},
          {"rope_theta", config.rope_theta},
          {"rope_scaling", nullptr},
          {"hidden_act", "silu"},
          {"attention_bias", false},
          {"mlp_bias", false},
          {"initializer_range", config.initializer_range},
          {"tie_word_embeddings", config.tie_word_embeddings},
          {"torch_dtype", "float32"}};
}

}  // namespace detent
