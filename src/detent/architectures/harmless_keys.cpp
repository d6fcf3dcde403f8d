#include "detent/architectures/harmless_keys.h"

#include <algorithm>

#include "detent/architectures/json_value.h"
#include "detent/base/error.h"
#include "detent/base/json.h"

namespace detent {

namespace {

using nlohmann::json;

// They name things, steer other programs or generation, or belong to other tasks. From PreTrainedConfig of transformers
// 4 and 5, GenerationConfig, and the published configs of the families here.
constexpr const char* kHarmless[] = {"_attn_implementation",
                                     "_attn_implementation_autoset",
                                     "_commit_hash",
                                     "_name_or_path",
                                     "attn_implementation",
                                     "begin_suppress_tokens",
                                     "bos_token_id",
                                     "chunk_size_feed_forward",
                                     "decoder_start_token_id",
                                     "diversity_penalty",
                                     "do_sample",
                                     "early_stopping",
                                     "eos_token_id",
                                     "exponential_decay_length_penalty",
                                     "finetuning_task",
                                     "forced_bos_token_id",
                                     "forced_eos_token_id",
                                     "id2label",
                                     "is_decoder",
                                     "is_llama_config",
                                     "label2id",
                                     "length_penalty",
                                     "max_length",
                                     "max_new_tokens",
                                     "min_length",
                                     "name_or_path",
                                     "no_repeat_ngram_size",
                                     "num_beam_groups",
                                     "num_beams",
                                     "num_labels",
                                     "num_return_sequences",
                                     "output_attentions",
                                     "output_hidden_states",
                                     "output_scores",
                                     "pad_token_id",
                                     "prefix",
                                     "pretraining_tp",
                                     "problem_type",
                                     "remove_invalid_values",
                                     "repetition_penalty",
                                     "return_dict",
                                     "return_dict_in_generate",
                                     "sep_token_id",
                                     "suppress_tokens",
                                     "task_specific_params",
                                     "temperature",
                                     "tf_legacy_loss",
                                     "tie_encoder_decoder",
                                     "tokenizer_class",
                                     "top_k",
                                     "top_p",
                                     "torchscript",
                                     "transformers.js_config",
                                     "transformers_version",
                                     "typical_p",
                                     "unsloth_fixed",
                                     "unsloth_version",
                                     "use_bfloat16",
                                     "use_cache"};

// They change nothing only with this value.
struct Fixed {
  const char* key;
  json allowed;
  const char* otherwise;
};
const std::vector<Fixed>& fixed_keys() {
  static const std::vector<Fixed> keys = {
      {"attention_dropout", 0, "training here has no dropout; set it to 0, which leaves evaluation as it is"},
      {"hidden_dropout", 0, "training here has no dropout; set it to 0, which leaves evaluation as it is"},
      {"partial_rotary_factor", 1, "only whole heads are rotated here"},
      {"logits_soft_cap", nullptr, "it is not handled"},
      {"add_cross_attention", false, "only decoders are handled"},
      {"is_encoder_decoder", false, "only decoders are handled"},
      {"cross_attention_hidden_size", nullptr, "only decoders are handled"},
      {"pruned_heads", json::object(), "it is not handled"},
      {"mlp_bias", false, "this family has none"},
      {"attention_bias", false, "this family has none"},
      {"sliding_window", nullptr, "this family has none"},
      {"quantization_config", nullptr,
       "the weights are packed by another program; name the original, unquantized model"},
      {"auto_map", nullptr, "the model brings code of its own, which is not run"}};
  return keys;
}

}  // namespace

bool is_written_anew(const std::string& key) {
  return key == "architectures" || key == "model_type" || key == "torch_dtype" || key == "dtype";
}

void check_harmless(const std::string& key, const json& value, const std::string& source) {
  if (std::find(std::begin(kHarmless), std::end(kHarmless), key) != std::end(kHarmless)) return;
  const auto& fixed = fixed_keys();
  const auto found = std::find_if(fixed.begin(), fixed.end(), [&](const Fixed& f) { return key == f.key; });
  if (found == fixed.end())
    fail("{}: unknown key {}: it may change the maths, so the model is not loaded", source, in_quotes(key));
  if (value != found->allowed && !value.is_null())
    fail("{}: {} = {} is not handled: {}", source, key, short_dump(value), found->otherwise);
}

}  // namespace detent
