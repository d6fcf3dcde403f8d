#include "detent/architectures/decoder_config.h"

#include <cmath>

#include "detent/base/error.h"

namespace detent {

int64_t DecoderConfig::window(int64_t layer) const {
  return !sliding_layers.empty() && sliding_layers[static_cast<size_t>(layer)] ? sliding_window : 0;
}

int64_t DecoderConfig::context_limit() const {
  const bool stretched = rope_scaling.type == RopeType::kLinear || rope_scaling.type == RopeType::kDynamic;
  return stretched ? static_cast<int64_t>(rope_scaling.factor * static_cast<double>(max_position_embeddings))
                   : max_position_embeddings;
}

int64_t DecoderConfig::parameter_count() const {
  const int64_t q = num_attention_heads * head_size(), kv = kv_heads() * head_size();
  int64_t layer = hidden_size * (2 * q + 2 * kv) + 3 * hidden_size * intermediate_size + 2 * hidden_size;
  if (qkv_bias) layer += q + 2 * kv;
  if (output_bias) layer += hidden_size;
  if (qk_norm) layer += 2 * head_size();
  if (mlp_bias) layer += 2 * intermediate_size + hidden_size;
  return num_hidden_layers * layer + hidden_size + (tie_word_embeddings ? 1 : 2) * vocab_size * hidden_size;
}

namespace {

// Keep every product that parameter_count() makes below 2^63.
constexpr int64_t kMostSize = int64_t{1} << 24, kMostLayers = 4096, kMostHeads = 4096, kMostHeadSize = 4096;

void check_sizes(const DecoderConfig& c) {
  struct Size {
    const char* name;
    int64_t value, most;
  };
  const Size sizes[] = {{"vocab_size", c.vocab_size, kMostSize},
                        {"hidden_size", c.hidden_size, kMostSize},
                        {"intermediate_size", c.intermediate_size, kMostSize},
                        {"num_hidden_layers", c.num_hidden_layers, kMostLayers},
                        {"num_attention_heads", c.num_attention_heads, kMostHeads},
                        {"num_key_value_heads", c.kv_heads(), kMostHeads},
                        {"max_position_embeddings", c.max_position_embeddings, kMostSize}};
  for (const auto& [name, value, most] : sizes)
    if (value < 1 || value > most) fail("[{}] {} = {} is out of range: 1 to {}", c.architecture, name, value, most);
}

void check_heads(const DecoderConfig& c) {
  if (c.head_dim == 0 && c.hidden_size % c.num_attention_heads != 0)
    fail("[{}] hidden_size {} is not a multiple of num_attention_heads {}; change one, or give head_dim",
         c.architecture, c.hidden_size, c.num_attention_heads);
  if (c.head_size() < 2 || c.head_size() % 2 != 0 || c.head_size() > kMostHeadSize)
    fail("[{}] head_dim {} must be even and at most {}: rotary embedding turns pairs", c.architecture, c.head_size(),
         kMostHeadSize);
  if (c.num_attention_heads % c.kv_heads() != 0)
    fail("[{}] num_attention_heads {} is not a multiple of num_key_value_heads {}", c.architecture,
         c.num_attention_heads, c.kv_heads());
}

void check_rope(const DecoderConfig& c) {
  const RopeScaling& scaling = c.rope_scaling;
  if (!(c.rope_theta > 0) || !std::isfinite(c.rope_theta))
    fail("[{}] rope_theta {} must be a positive number", c.architecture, c.rope_theta);
  if (scaling.type == RopeType::kDefault) return;
  if (!(scaling.factor >= 1) || !(scaling.factor <= 1e6))
    fail("[{}] the factor {} of rope_scaling is out of range: 1 to 1e6", c.architecture, scaling.factor);
  if (scaling.type == RopeType::kDynamic && c.head_size() == 2)
    fail("[{}] rope_scaling dynamic needs a head_dim above 2", c.architecture);
  if (scaling.type != RopeType::kLlama3) return;
  if (!(scaling.low_freq_factor > 0) || !(scaling.high_freq_factor > scaling.low_freq_factor) ||
      !std::isfinite(scaling.high_freq_factor))
    fail("[{}] rope_scaling llama3 needs 0 < low_freq_factor < high_freq_factor, got {} and {}", c.architecture,
         scaling.low_freq_factor, scaling.high_freq_factor);
  if (scaling.original_max_position_embeddings < 1 || scaling.original_max_position_embeddings > kMostSize)
    fail("[{}] original_max_position_embeddings {} of rope_scaling is out of range: 1 to {}", c.architecture,
         scaling.original_max_position_embeddings, kMostSize);
}

}  // namespace

void DecoderConfig::check() const {
  check_sizes(*this);
  check_heads(*this);
  check_rope(*this);
  if (!(rms_norm_eps >= 0) || !std::isfinite(rms_norm_eps))
    fail("[{}] rms_norm_eps {} must be zero or a positive number", architecture, rms_norm_eps);
  if (!(initializer_range > 0) || !std::isfinite(initializer_range))
    fail("[{}] initializer_range {} must be a positive number", architecture, initializer_range);
}

}  // namespace detent
