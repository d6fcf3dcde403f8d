// The `model` block of a training configuration: a model to start from, or the shape of a new one under the names that
// Hugging Face's config.json has for it.
#pragma once
#include <optional>
#include <string>

#include "detent/architectures/architecture.h"
#include "detent/base/options.h"

namespace detent {

struct RopeScalingOptions {
  std::string rope_type;
  std::optional<double> factor, low_freq_factor, high_freq_factor;
  std::optional<int64_t> original_max_position_embeddings;

  template <class V>
  void visit(V& v) {
    v.field("rope_type", rope_type, "linear, dynamic or llama3");
    v.field("factor", factor, "how much longer the context becomes", kPositive);
    v.field("low_freq_factor", low_freq_factor, "llama3: below this many turns a frequency is divided", kPositive);
    v.field("high_freq_factor", high_freq_factor, "llama3: above this many turns it stays", kPositive);
    v.field("original_max_position_embeddings", original_max_position_embeddings, "llama3: the length turns count in",
            Range{1, 1 << 24});
  }
};

struct ModelOptions {
  std::string from;
  std::string architecture = "llama";
  std::optional<int64_t> vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads,
      num_key_value_heads, head_dim, max_position_embeddings, sliding_window, max_window_layers;
  std::optional<double> rms_norm_eps, rope_theta, initializer_range;
  std::optional<bool> tie_word_embeddings, attention_bias, mlp_bias, use_sliding_window;
  std::optional<RopeScalingOptions> rope_scaling;

  template <class V>
  void visit(V& v) {
    v.field("from", from,
            "start from the weights of a model: a Hugging Face folder, packed or not, a run, a checkpoint, a GGUF file "
            "or a llama2.c checkpoint");
    v.field("architecture", architecture, "architecture of a new model", architecture_names());
    visit_shape(v);
  }
  // What goes into the config.json of a new model.
  template <class V>
  void visit_shape(V& v) {
    const Range size{1, 1 << 24};
    v.field("vocab_size", vocab_size, "tokens; default: the tokenizer's", size);
    v.field("hidden_size", hidden_size, "width of the residual stream", size);
    v.field("intermediate_size", intermediate_size, "width inside the feed-forward layers", size);
    v.field("num_hidden_layers", num_hidden_layers, "blocks", size);
    v.field("num_attention_heads", num_attention_heads, "query heads", size);
    v.field("num_key_value_heads", num_key_value_heads, "key and value heads; default: as many as query heads", size);
    v.field("head_dim", head_dim, "size of a head; default: hidden_size / num_attention_heads", size);
    v.field("max_position_embeddings", max_position_embeddings, "longest context", size);
    v.field("rms_norm_eps", rms_norm_eps, "added to the mean square in RMSNorm", kNonNegative);
    v.field("rope_theta", rope_theta, "base of the rotary embedding", kPositive);
    v.group("rope_scaling", rope_scaling, "stretches the rotary embedding over longer contexts");
    v.field("initializer_range", initializer_range, "standard deviation of fresh weights", kPositive);
    v.field("tie_word_embeddings", tie_word_embeddings, "embedding and head share their weights");
    v.field("attention_bias", attention_bias, "llama, qwen3: biases on the projections of attention");
    v.field("mlp_bias", mlp_bias, "llama: biases on the feed-forward layers");
    v.field("sliding_window", sliding_window, "mistral, qwen2, qwen3: how many positions attention sees", size);
    v.field("use_sliding_window", use_sliding_window, "qwen2, qwen3: whether sliding_window applies");
    v.field("max_window_layers", max_window_layers, "qwen2, qwen3: layers below that see everything", kNonNegative);
  }
};

// The shape of a new model; vocab_size is the tokenizer's unless given. Fails on keys that the architecture does not
// have.
DecoderConfig new_model_config(const ModelOptions& options, int64_t tokenizer_vocab, int64_t sequence_length);

}  // namespace detent
