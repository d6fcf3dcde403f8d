// config.json of every family: what is read, what is passed over and what is refused by name.
#include "detent/architectures/decoder_config.h"

#include <fmt/ranges.h>
#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <numeric>

#include "detent/architectures/architecture.h"
#include "detent/architectures/parameters.h"
#include "tests/io/support.h"

namespace detent {
namespace {

using io::test::error_of;
using nlohmann::json;
using testing::HasSubstr;

json minimal(const std::string& type = "llama") {
  return {{"model_type", type},       {"vocab_size", 257},      {"hidden_size", 64},
          {"intermediate_size", 192}, {"num_hidden_layers", 2}, {"num_attention_heads", 32}};
}

DecoderConfig with(const json& changes, const std::string& type = "llama") {
  json config = minimal(type);
  config.update(changes);
  return decoder_config_from_json(config, "config.json");
}
DecoderConfig with(const std::string& key, const json& value) { return with({{key, value}}); }
std::string refusal_of(const json& changes, const std::string& type = "llama") {
  return error_of([&] { with(changes, type); });
}
std::string refusal(const std::string& key, const json& value) { return refusal_of({{key, value}}); }

// Keys that are absent mean what they mean to transformers' configuration classes.
TEST(DecoderConfig, DefaultsAreThoseOfTransformers) {
  const DecoderConfig llama = with(json::object()), mistral = with(json::object(), "mistral"),
                      qwen2 = with(json::object(), "qwen2"), qwen3 = with(json::object(), "qwen3");
  EXPECT_EQ(llama.kv_heads(), 32);
  EXPECT_EQ(llama.head_size(), 2);
  EXPECT_EQ(llama.rms_norm_eps, 1e-6);
  EXPECT_EQ(llama.rope_theta, 10000);
  EXPECT_EQ(llama.max_position_embeddings, 2048);
  EXPECT_FALSE(llama.tie_word_embeddings);
  EXPECT_EQ(mistral.kv_heads(), 8);
  EXPECT_EQ(mistral.max_position_embeddings, 131072);
  EXPECT_EQ(mistral.window(1), 4096);
  EXPECT_EQ(qwen2.kv_heads(), 32);
  EXPECT_EQ(qwen2.max_position_embeddings, 32768);
  EXPECT_EQ(qwen2.window(1), 0);
  EXPECT_TRUE(qwen2.qkv_bias && !qwen2.output_bias && !qwen2.mlp_bias);
  EXPECT_EQ(qwen3.head_size(), 128);
  EXPECT_TRUE(qwen3.qk_norm && !qwen3.qkv_bias);
}

TEST(DecoderConfig, BothSpellingsOfTheRotaryEmbedding) {
  EXPECT_EQ(with("rope_theta", 500000).rope_theta, 500000);
  EXPECT_EQ(with("rope_parameters", {{"rope_theta", 2e4}, {"rope_type", "default"}}).rope_theta, 2e4);
  for (const char* block : {"rope_scaling", "rope_parameters"})
    for (const char* key : {"type", "rope_type"}) {
      const RopeScaling linear = with(block, {{key, "linear"}, {"factor", 4}}).rope_scaling;
      EXPECT_EQ(linear.type, RopeType::kLinear);
      EXPECT_EQ(linear.factor, 4);
    }
  const json llama3 = {{"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 1}, {"high_freq_factor", 4}};
  EXPECT_EQ(with("rope_scaling", llama3).rope_scaling.original_max_position_embeddings, 2048);
  json with_length = llama3;
  with_length["original_max_position_embeddings"] = 512;
  EXPECT_EQ(with("rope_parameters", with_length).rope_scaling.original_max_position_embeddings, 512);
}

TEST(DecoderConfig, SpellingsThatDisagreeAreRefused) {
  const json newer = {{"rope_type", "default"}, {"rope_theta", 2e4}};
  EXPECT_NO_THROW(with({{"rope_parameters", newer}, {"rope_theta", 2e4}, {"rope_scaling", nullptr}}));
  EXPECT_THAT(refusal_of({{"rope_parameters", newer}, {"rope_theta", 1e4}}), HasSubstr("rope_theta disagree"));
  EXPECT_THAT(refusal_of({{"rope_parameters", newer}, {"rope_scaling", {{"type", "linear"}, {"factor", 2}}}}),
              HasSubstr("rope_scaling disagree"));
  EXPECT_THAT(refusal("rope_scaling", {{"type", "linear"}, {"rope_type", "dynamic"}, {"factor", 2}}),
              HasSubstr("disagree"));
}

TEST(DecoderConfig, RotaryScalingThatIsNotHandledIsNamed) {
  for (const char* type : {"yarn", "longrope", "su", "proportional", "mrope"})
    EXPECT_THAT(refusal("rope_scaling", {{"type", type}, {"factor", 2.0}}), HasSubstr(type));
  EXPECT_THAT(refusal("rope_parameters", {{"rope_type", "default"}, {"factor", 8.0}}), HasSubstr("'factor'"));
  EXPECT_THAT(refusal("rope_scaling", {{"type", "linear"}, {"factor", 2}, {"low_freq_factor", 1}}),
              HasSubstr("'low_freq_factor'"));
  EXPECT_THAT(refusal("rope_scaling", {{"type", "linear"}}), HasSubstr("'factor' is missing"));
  EXPECT_THAT(refusal("rope_scaling", {{"rope_type", "llama3"}, {"factor", 8}}), HasSubstr("'low_freq_factor'"));
  EXPECT_THAT(refusal("rope_scaling", {{"type", "linear"}, {"factor", 0.5}}), HasSubstr("factor 0.5"));
  EXPECT_THAT(refusal("rope_scaling", {{"type", 3}, {"factor", 2}}), HasSubstr("type"));
  EXPECT_THAT(refusal("rope_parameters", 1), HasSubstr("rope_parameters"));
  EXPECT_THAT(refusal("rope_parameters", {{"full_attention", {{"rope_theta", 1e4}}}}), HasSubstr("'full_attention'"));
  EXPECT_THAT(refusal("rope_scaling", {{"type", "dynamic"}, {"factor", 2}}), HasSubstr("head_dim above 2"));
}

TEST(DecoderConfig, KeysThatChangeTheMathsAreRefusedByName) {
  const std::pair<const char*, json> cases[] = {{"hidden_act", "gelu"},         {"rope_interleaved", true},
                                                {"sliding_window", 4096},       {"quantization_config", {{"bits", 4}}},
                                                {"partial_rotary_factor", 0.5}, {"logit_scale", 0.1},
                                                {"attention_dropout", 0.1},     {"auto_map", {{"AutoModel", "x.Y"}}},
                                                {"is_encoder_decoder", true},   {"residual_multiplier", 0.2},
                                                {"attention_multiplier", 0.01}};
  for (const auto& [key, value] : cases) EXPECT_THAT(refusal(key, value), HasSubstr(key));
  EXPECT_THAT(refusal_of({{"mlp_bias", true}}, "qwen2"), HasSubstr("mlp_bias"));
  EXPECT_THAT(refusal_of({{"attention_bias", true}}, "mistral"), HasSubstr("attention_bias"));
  EXPECT_THAT(refusal_of({{"use_mrope", true}}, "qwen2"), HasSubstr("use_mrope"));
}

TEST(DecoderConfig, HarmlessKeysPassAndAreCarried) {
  const json keys = {{"rope_scaling", nullptr},
                     {"attention_dropout", 0.0},
                     {"quantization_config", nullptr},
                     {"sliding_window", nullptr},
                     {"head_dim", nullptr},
                     {"num_key_value_heads", nullptr},
                     {"eos_token_id", {1, 2}},
                     {"torch_dtype", "bfloat16"},
                     {"_name_or_path", "somewhere"},
                     {"transformers.js_config", {{"kv_cache_dtype", 1}}}};
  const json written = to_json(with(keys));
  for (const char* key : {"attention_dropout", "eos_token_id", "_name_or_path", "transformers.js_config"})
    EXPECT_EQ(written.at(key), keys.at(key)) << key;
  EXPECT_EQ(written.at("torch_dtype"), "float32");
  EXPECT_EQ(written.at("dtype"), "float32");
}

TEST(DecoderConfig, UnknownFamiliesAreNamedWithTheKnown) {
  for (const char* type : {"gemma2", "mixtral", "phi3", "qwen3_moe"}) {
    const std::string error = refusal_of({{"model_type", type}});
    EXPECT_THAT(error, HasSubstr(type));
    for (const std::string& known : architecture_names()) EXPECT_THAT(error, HasSubstr(known));
  }
  EXPECT_THAT(refusal("model_type", 3), HasSubstr("model_type"));
}

TEST(DecoderConfig, WindowsByLayer) {
  const json on = {{"use_sliding_window", true}, {"sliding_window", 8}, {"max_window_layers", 1}};
  const DecoderConfig upper = with(on, "qwen2");
  EXPECT_EQ(upper.window(0), 0);
  EXPECT_EQ(upper.window(1), 8);
  json listed = on;
  listed["layer_types"] = {"sliding_attention", "full_attention"};
  EXPECT_EQ(with(listed, "qwen3").window(0), 8);
  EXPECT_EQ(with(listed, "qwen3").window(1), 0);
  json off = listed;
  off["use_sliding_window"] = false;
  EXPECT_THAT(refusal_of(off, "qwen3"), HasSubstr("use_sliding_window"));
  listed["layer_types"] = {"full_attention"};
  EXPECT_THAT(refusal_of(listed, "qwen2"), HasSubstr("layer_types"));
  listed["layer_types"] = {"full_attention", "chunked_attention"};
  EXPECT_THAT(refusal_of(listed, "qwen2"), HasSubstr("chunked_attention"));
}

TEST(DecoderConfig, MissingAndMistypedKeysAreNamed) {
  for (const char* key :
       {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"}) {
    json config = minimal();
    config.erase(key);
    EXPECT_THAT(error_of([&] { decoder_config_from_json(config, "config.json"); }), HasSubstr(key));
    for (const json& bad : {json("64"), json(64.5), json(-1), json(0), json(int64_t{1} << 40), json(UINT64_MAX)})
      EXPECT_THAT(refusal(key, bad), HasSubstr(key)) << bad;
  }
  EXPECT_THAT(refusal("tie_word_embeddings", 1), HasSubstr("tie_word_embeddings"));
  EXPECT_THAT(refusal("rope_theta", "10000"), HasSubstr("rope_theta"));
  EXPECT_THAT(error_of([] { decoder_config_from_json(json::array(), "config.json"); }), HasSubstr("config.json"));
  EXPECT_THAT(error_of([] { decoder_config_from_json(json::object(), "config.json"); }), HasSubstr("model_type"));
}

TEST(DecoderConfig, SizesThatDoNotFitAreRefused) {
  EXPECT_THAT(refusal("num_attention_heads", 5), HasSubstr("not a multiple"));
  EXPECT_THAT(refusal("num_key_value_heads", 3), HasSubstr("num_key_value_heads"));
  EXPECT_THAT(refusal("head_dim", 7), HasSubstr("even"));
  EXPECT_THAT(refusal("rms_norm_eps", -1.0), HasSubstr("rms_norm_eps"));
  EXPECT_THAT(refusal("rope_theta", 0), HasSubstr("rope_theta"));
  EXPECT_THAT(refusal("max_position_embeddings", 0), HasSubstr("max_position_embeddings"));
}

// Sizes at their limits must not overflow what is computed from them.
TEST(DecoderConfig, TheLargestSizesAreCounted) {
  const int64_t most = int64_t{1} << 24;
  const DecoderConfig config = with({{"vocab_size", most},
                                     {"hidden_size", most},
                                     {"intermediate_size", most},
                                     {"num_hidden_layers", 4096},
                                     {"num_attention_heads", 4096},
                                     {"head_dim", 4096}});
  EXPECT_EQ(config.parameter_count(), 4096 * (7 * most * most + 2 * most) + most + 2 * most * most);
  EXPECT_THAT(refusal("num_hidden_layers", 4097), HasSubstr("num_hidden_layers"));
}

TEST(DecoderConfig, TextIsStrictJsonOfBoundedSizeAndDepth) {
  const auto error = [](const std::string& text) {
    return error_of([&] { decoder_config_from_text(text, "config.json"); });
  };
  EXPECT_NO_THROW(decoder_config_from_text(minimal().dump(), "config.json"));
  EXPECT_THAT(error(R"({"model_type": "llama", "model_type": "llama"})"), HasSubstr("twice"));
  EXPECT_THAT(error(R"({"model_type": )" + std::string(100000, '[')), HasSubstr("nested"));
  EXPECT_THAT(error(minimal().dump() + std::string(size_t{1} << 20, ' ')), HasSubstr("too many"));
  EXPECT_THAT(error(""), HasSubstr("config.json"));
  EXPECT_THAT(error(R"({"model_type": "llama", "rope_theta": 1e999})"), HasSubstr("config.json"));
}

TEST(DecoderConfig, RoundTripsThroughJson) {
  for (const std::string& name : architecture_names()) {
    json changes = {{"head_dim", 32}, {"num_key_value_heads", 2}, {"tie_word_embeddings", true}};
    changes["rope_scaling"] = {{"type", "dynamic"}, {"factor", 2.5}};
    const json written = to_json(with(changes, name));
    EXPECT_EQ(to_json(decoder_config_from_json(written, "config.json")), written) << name;
  }
}

// The names and shapes of the map, on a model of every kind of tensor.
TEST(Parameters, NamesAndShapes) {
  DecoderConfig config = with({{"hidden_size", 6},
                               {"num_attention_heads", 3},
                               {"num_hidden_layers", 1},
                               {"head_dim", 4},
                               {"num_key_value_heads", 1},
                               {"intermediate_size", 5},
                               {"vocab_size", 9}});
  config.qkv_bias = config.output_bias = config.mlp_bias = config.qk_norm = true;
  std::string all;
  int64_t count = 0;
  for (const ParameterInfo& info : parameters(config)) {
    all += fmt::format("{} [{}]\n", info.name, fmt::join(info.shape, ", "));
    count += std::accumulate(info.shape.begin(), info.shape.end(), int64_t{1}, std::multiplies<>());
  }
  EXPECT_EQ(count, config.parameter_count());
  EXPECT_EQ(all,
            "model.embed_tokens.weight [9, 6]\n"
            "model.layers.0.input_layernorm.weight [6]\n"
            "model.layers.0.self_attn.q_proj.weight [12, 6]\n"
            "model.layers.0.self_attn.q_proj.bias [12]\n"
            "model.layers.0.self_attn.k_proj.weight [4, 6]\n"
            "model.layers.0.self_attn.k_proj.bias [4]\n"
            "model.layers.0.self_attn.v_proj.weight [4, 6]\n"
            "model.layers.0.self_attn.v_proj.bias [4]\n"
            "model.layers.0.self_attn.o_proj.weight [6, 12]\n"
            "model.layers.0.self_attn.o_proj.bias [6]\n"
            "model.layers.0.self_attn.q_norm.weight [4]\n"
            "model.layers.0.self_attn.k_norm.weight [4]\n"
            "model.layers.0.post_attention_layernorm.weight [6]\n"
            "model.layers.0.mlp.gate_proj.weight [5, 6]\n"
            "model.layers.0.mlp.gate_proj.bias [5]\n"
            "model.layers.0.mlp.up_proj.weight [5, 6]\n"
            "model.layers.0.mlp.up_proj.bias [5]\n"
            "model.layers.0.mlp.down_proj.weight [6, 5]\n"
            "model.layers.0.mlp.down_proj.bias [6]\n"
            "model.norm.weight [6]\n"
            "lm_head.weight [9, 6]\n");
}

}  // namespace
}  // namespace detent
