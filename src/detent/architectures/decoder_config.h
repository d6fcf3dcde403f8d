// The shape of a decoder of the Llama family and the choices that its relatives differ in. Keys are those of Hugging
// Face's config.json. No LibTorch below this line's layer: what is wrong with a config shows before any weight is read.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace detent {

enum class RopeType { kDefault, kLinear, kDynamic, kLlama3 };

// How rotary frequencies are stretched for contexts longer than those trained on; the formulas are in nn/rope.h.
struct RopeScaling {
  RopeType type = RopeType::kDefault;
  double factor = 1;                                 // linear, dynamic, llama3
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  int64_t original_max_position_embeddings = 0;      // llama3
};

struct DecoderConfig {
  std::string architecture = "llama";  // model_type: a file in families/
  int64_t vocab_size = 257, hidden_size = 64, intermediate_size = 192, num_hidden_layers = 4;
  int64_t num_attention_heads = 4, num_key_value_heads = 0;  // 0: as many as heads
  int64_t head_dim = 0;                                      // 0: hidden_size / num_attention_heads
  int64_t max_position_embeddings = 2048;
  double rms_norm_eps = 1e-5, rope_theta = 10000, initializer_range = 0.02;
  RopeScaling rope_scaling;
  bool tie_word_embeddings = false;
  bool qkv_bias = false, output_bias = false, mlp_bias = false;  // of q/k/v_proj, o_proj, gate/up/down_proj
  bool qk_norm = false;                                          // RMSNorm over each head of q and k, before rotation
  // A position sees itself and the sliding_window - 1 before it, in the layers whose entry is true; 0: all it has.
  int64_t sliding_window = 0;
  std::vector<bool> sliding_layers;                   // one a layer, or empty
  int64_t max_window_layers = 0;                      // Qwen's older spelling of sliding_layers, kept for who reads it
  nlohmann::json carried = nlohmann::json::object();  // keys without consequence, kept for to_json

  int64_t kv_heads() const { return num_key_value_heads > 0 ? num_key_value_heads : num_attention_heads; }
  int64_t head_size() const { return head_dim > 0 ? head_dim : hidden_size / num_attention_heads; }
  int64_t window(int64_t layer) const;  // ids that a position of this layer sees; 0: all up to its own
  // The longest context: max_position_embeddings, times the factor where scaling stretches it on the fly (linear and
  // dynamic; llama3's max_position_embeddings is the stretched length already).
  int64_t context_limit() const;
  int64_t parameter_count() const;
  void check() const;  // sizes that do not fit together
};

// `source` is named in messages. Keys of no consequence are carried along; a key that is unknown, or has a value that
// would change the maths in a way that is not handled, is refused by name.
DecoderConfig decoder_config_from_json(const nlohmann::json& json, const std::string& source);
// The same from the text of a config.json, which must be strict JSON of at most a megabyte.
DecoderConfig decoder_config_from_text(std::string_view text, const std::string& source);
// config.json in both spellings (rope_theta + rope_scaling + torch_dtype and rope_parameters + dtype), for weights
// stored in float32.
nlohmann::json to_json(const DecoderConfig& config);

}  // namespace detent
