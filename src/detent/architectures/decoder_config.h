// Hugging Face config.json of a decoder. An allow-list: a key that changes the maths and is not handled stops.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>

#include "detent/base/options.h"

namespace detent {

struct DecoderConfig {
  int64_t vocab_size = 257, hidden_size = 64, intermediate_size = 192, num_hidden_layers = 4;
  int64_t num_attention_heads = 4, num_key_value_heads = 0;  // 0: as many as heads
  int64_t head_dim = 0;                                      // 0: hidden_size / num_attention_heads
  int64_t max_position_embeddings = 2048;
  double rms_norm_eps = 1e-5, rope_theta = 10000, initializer_range = 0.02;
  bool tie_word_embeddings = false;

  int64_t kv_heads() const { return num_key_value_heads > 0 ? num_key_value_heads : num_attention_heads; }
  int64_t head_size() const { return head_dim > 0 ? head_dim : hidden_size / num_attention_heads; }
  int64_t parameter_count() const;
  void check() const;  // sizes that do not fit together
};
// `source` is named in messages. Keys of no consequence are passed over; unknown ones are refused.
DecoderConfig decoder_config_from_json(const nlohmann::json& json, const std::string& source);
nlohmann::json to_json(const DecoderConfig& config);

}  // namespace detent
