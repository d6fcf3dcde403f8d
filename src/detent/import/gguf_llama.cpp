#include "detent/import/gguf_llama.h"

#include <algorithm>
#include <cstdlib>

#include "detent/architectures/architecture.h"
#include "detent/base/error.h"
#include "detent/import/gguf_rope.h"

namespace detent {

namespace {

struct NamePair {
  const char *hugging_face, *gguf;
};
constexpr NamePair kWhole[] = {{"model.embed_tokens.weight", "token_embd.weight"},
                               {"model.norm.weight", "output_norm.weight"},
                               {"lm_head.weight", "output.weight"}};
constexpr NamePair kInBlock[] = {{"input_layernorm.weight", "attn_norm.weight"},
                                 {"self_attn.q_proj.weight", "attn_q.weight"},
                                 {"self_attn.q_proj.bias", "attn_q.bias"},
                                 {"self_attn.k_proj.weight", "attn_k.weight"},
                                 {"self_attn.k_proj.bias", "attn_k.bias"},
                                 {"self_attn.v_proj.weight", "attn_v.weight"},
                                 {"self_attn.v_proj.bias", "attn_v.bias"},
                                 {"self_attn.o_proj.weight", "attn_output.weight"},
                                 {"self_attn.q_norm.weight", "attn_q_norm.weight"},
                                 {"self_attn.k_norm.weight", "attn_k_norm.weight"},
                                 {"post_attention_layernorm.weight", "ffn_norm.weight"},
                                 {"mlp.gate_proj.weight", "ffn_gate.weight"},
                                 {"mlp.up_proj.weight", "ffn_up.weight"},
                                 {"mlp.down_proj.weight", "ffn_down.weight"}};
constexpr const char *kLayer = "model.layers.", *kBlock = "blk.";

std::optional<std::string> translate(const std::string& name, const char* NamePair::*from, const char* NamePair::*to,
                                     const std::string& from_prefix, const std::string& to_prefix) {
  for (const NamePair& pair : kWhole)
    if (name == pair.*from) return pair.*to;
  const size_t dot = name.find('.', from_prefix.size());
  if (!name.starts_with(from_prefix) || dot == name.npos || dot == from_prefix.size()) return std::nullopt;
  const std::string number = name.substr(from_prefix.size(), dot - from_prefix.size());
  if (number.find_first_not_of("0123456789") != number.npos) return std::nullopt;
  for (const NamePair& pair : kInBlock)
    if (name.compare(dot + 1, name.npos, pair.*from) == 0) return to_prefix + number + "." + pair.*to;
  return std::nullopt;
}

// 1234567 parameters are "1.2M".
std::string size_label(int64_t parameters) {
  constexpr std::pair<double, const char*> kUnits[] = {{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "K"}};
  const auto count = static_cast<double>(parameters);
  for (const auto& [unit, letter] : kUnits)
    if (count >= unit) return fmt::format("{:.{}f}{}", count / unit, count / unit < 10 ? 1 : 0, letter);
  return std::to_string(parameters);
}

// The shortest decimal that reads back as this float: 1e-05, not 9.99999974738e-06.
double shortest(float value) { return std::strtod(fmt::format("{}", value).c_str(), nullptr); }

// Architectures of GGUF, named as in config.json: what tells their layers apart.
struct Family {
  const char* name;
  bool qkv_bias, qk_norm;
  bool interleaves;  // rotates neighbouring pairs, so the rows of q and k are interleaved
};
constexpr Family kFamilies[] = {
    {"llama", false, false, true}, {"qwen2", true, false, false}, {"qwen3", false, true, false}};

const Family* find_family(const std::string& name) {
  const auto* found = std::find_if(std::begin(kFamilies), std::end(kFamilies),
                                   [&](const Family& family) { return family.name == name; });
  return found == std::end(kFamilies) ? nullptr : found;
}

// After the architecture and a dot.
const char* const kSizeKeys[] = {"context_length", "embedding_length", "block_count", "feed_forward_length",
                                 "attention.head_count"};
const char* const kOtherKeys[] = {"vocab_size",           "attention.head_count_kv", "attention.layer_norm_rms_epsilon",
                                  "attention.key_length", "attention.value_length",  "rope.dimension_count",
                                  "rope.freq_base"};

void check_keys(const io::GgufReader& file, const std::string& prefix, const std::string& source) {
  const auto among = [&](const auto& keys, const std::string& key) {
    return std::any_of(std::begin(keys), std::end(keys), [&](const char* known) { return key == prefix + known; });
  };
  for (const auto& [key, value] : file.values())
    if (key.starts_with(prefix) && !among(kSizeKeys, key) && !among(kOtherKeys, key) && !is_rope_key(key))
      fail("{}: unknown key '{}': it may change the maths, so the model is not loaded", source, key);
}

}  // namespace

std::optional<std::string> to_gguf_name(const std::string& name) {
  return translate(name, &NamePair::hugging_face, &NamePair::gguf, kLayer, kBlock);
}

std::optional<std::string> from_gguf_name(const std::string& name) {
  return translate(name, &NamePair::gguf, &NamePair::hugging_face, kBlock, kLayer);
}

void check_fits_gguf(const DecoderConfig& config) {
  const Family* family = find_family(config.architecture);
  bool slides = false;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) slides |= config.window(i) != 0;
  const bool scales = config.rope_scaling.type != RopeType::kDefault;
  const std::pair<bool, const char*> beyond[] = {
      {!family, "its architecture is none of llama, qwen2 and qwen3"},
      {family && (config.qkv_bias != family->qkv_bias || config.output_bias || config.mlp_bias),
       "its layers have biases that its architecture has not in GGUF"},
      {slides, "its layers have sliding windows"},
      {family && !family->interleaves && scales, "the rotary embedding of a Qwen model is scaled"}};
  for (const auto& [found, what] : beyond)
    if (found)
      fail("[export] GGUF files of this version cannot hold this model: {}; use safetensors:dequantized", what);
  check_rope_fits_gguf(config);
}

bool is_gguf_architecture(const std::string& name) { return find_family(name) != nullptr; }

std::vector<std::string> gguf_tensor_names(const DecoderConfig& config) {
  std::vector<std::string> names = {kWhole[0].hugging_face};
  for (int64_t i = 0; i < config.num_hidden_layers; ++i)
    for (const NamePair& pair : kInBlock) {
      const std::string name = pair.hugging_face;
      if ((name.ends_with(".bias") && !config.qkv_bias) ||
          (name.starts_with("self_attn.") && name.ends_with("_norm.weight") && !config.qk_norm))
        continue;
      names.push_back(fmt::format("{}{}.{}", kLayer, i, name));
    }
  names.emplace_back(kWhole[1].hugging_face);
  if (!config.tie_word_embeddings) names.emplace_back(kWhole[2].hugging_face);
  return names;
}

std::vector<int64_t> gguf_row_order(const std::string& name, const DecoderConfig& config) {
  const Family* family = find_family(config.architecture);
  if (!family || !family->interleaves) return {};
  int64_t heads = 0;
  if (name.ends_with(".self_attn.q_proj.weight")) heads = config.num_attention_heads;
  if (name.ends_with(".self_attn.k_proj.weight")) heads = config.kv_heads();
  const int64_t size = config.head_size();
  std::vector<int64_t> order(heads * size);
  for (int64_t i = 0; i < heads * size; ++i) {
    const int64_t within = i % size;  // file: 0, d/2, 1, d/2 + 1, ...
    order[i] = i - within + within / 2 + within % 2 * (size / 2);
  }
  return order;
}

std::vector<io::GgufKeyValue> gguf_metadata(const DecoderConfig& config, const std::string& model_name,
                                            uint32_t file_type) {
  const auto size = [](int64_t value) { return static_cast<uint32_t>(value); };
  std::vector<io::GgufKeyValue> values = {{"general.architecture", config.architecture},
                                          {"general.type", std::string("model")},
                                          {"general.name", model_name},
                                          {"general.size_label", size_label(config.parameter_count())},
                                          {"general.file_type", file_type},
                                          {"general.quantization_version", uint32_t{2}}};
  const std::pair<const char*, io::GgufValue> own[] = {
      {"vocab_size", size(config.vocab_size)},
      {"context_length", size(config.max_position_embeddings)},
      {"embedding_length", size(config.hidden_size)},
      {"block_count", size(config.num_hidden_layers)},
      {"feed_forward_length", size(config.intermediate_size)},
      {"attention.head_count", size(config.num_attention_heads)},
      {"attention.head_count_kv", size(config.kv_heads())},
      {"attention.layer_norm_rms_epsilon", static_cast<float>(config.rms_norm_eps)},
      {"attention.key_length", size(config.head_size())},
      {"attention.value_length", size(config.head_size())},
      {"rope.dimension_count", size(config.head_size())},
      {"rope.freq_base", static_cast<float>(config.rope_theta)}};
  for (const auto& [key, value] : own) values.push_back({config.architecture + "." + key, value});
  for (io::GgufKeyValue& value : rope_metadata(config)) values.push_back(std::move(value));
  return values;
}

DecoderConfig config_from_gguf(const io::GgufReader& file, const std::string& source) {
  const auto& architecture = file.get<std::string>("general.architecture");
  if (!is_gguf_architecture(architecture))
    fail("{}: architecture '{}' is not handled; this version reads llama, qwen2 and qwen3", source, architecture);
  const std::string prefix = architecture + ".";
  check_keys(file, prefix, source);
  DecoderConfig config;
  config.architecture = architecture;
  find_architecture(architecture, source).defaults(config);
  int64_t* const sizes[] = {&config.max_position_embeddings, &config.hidden_size, &config.num_hidden_layers,
                            &config.intermediate_size, &config.num_attention_heads};
  for (size_t i = 0; i < std::size(sizes); ++i) *sizes[i] = file.get<uint32_t>(prefix + kSizeKeys[i]);
  const auto optional_size = [&](const std::string& key, int64_t fallback) {
    return file.find_value(prefix + key) ? int64_t{file.get<uint32_t>(prefix + key)} : fallback;
  };
  const io::GgufTensor* table = file.find_tensor(kWhole[0].gguf);
  config.vocab_size = optional_size("vocab_size", table && table->ne.size() == 2 ? table->ne[1] : 0);
  config.num_key_value_heads = optional_size("attention.head_count_kv", config.num_attention_heads);
  config.head_dim = optional_size("attention.key_length", 0);
  config.rms_norm_eps = shortest(file.get<float>(prefix + "attention.layer_norm_rms_epsilon"));
  config.rope_theta = 10000;
  if (file.find_value(prefix + "rope.freq_base"))
    config.rope_theta = shortest(file.get<float>(prefix + "rope.freq_base"));
  config.tie_word_embeddings = !file.find_tensor("output.weight");
  config.check();
  for (const char* key : {"attention.value_length", "rope.dimension_count"})
    if (const int64_t got = optional_size(key, config.head_size()); got != config.head_size())
      fail("{}: {}{} = {} is not handled, only the head size {}", source, prefix, key, got, config.head_size());
  if (find_family(architecture)->interleaves) read_rope_scaling(file, source, config);
  return config;
}

}  // namespace detent
