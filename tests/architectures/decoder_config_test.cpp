// config.json of a Llama model: what is read, what is passed over and what is refused by name.
#include "detent/architectures/decoder_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/support.h"

namespace detent {
namespace {

using io::test::error_of;
using nlohmann::json;
using testing::HasSubstr;

json minimal() {
  return {{"model_type", "llama"},    {"vocab_size", 257},      {"hidden_size", 64},
          {"intermediate_size", 192}, {"num_hidden_layers", 2}, {"num_attention_heads", 4}};
}

DecoderConfig with(const std::string& key, const json& value) {
  json config = minimal();
  config[key] = value;
  return decoder_config_from_json(config, "config.json");
}
std::string refusal(const std::string& key, const json& value) {
  return error_of([&] { with(key, value); });
}

// Keys that are absent mean what they mean to transformers' DecoderConfig.
TEST(DecoderConfig, DefaultsAreThoseOfTransformers) {
  const DecoderConfig config = decoder_config_from_json(minimal(), "config.json");
  EXPECT_EQ(config.kv_heads(), 4);
  EXPECT_EQ(config.head_size(), 16);
  EXPECT_EQ(config.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.rope_theta, 10000);
  EXPECT_EQ(config.max_position_embeddings, 2048);
  EXPECT_FALSE(config.tie_word_embeddings);
}

TEST(DecoderConfig, BothSpellingsOfTheRotaryBase) {
  EXPECT_EQ(with("rope_theta", 500000).rope_theta, 500000);
  EXPECT_EQ(with("rope_parameters", {{"rope_theta", 2e4}, {"rope_type", "default"}}).rope_theta, 2e4);
}

TEST(DecoderConfig, KeysThatChangeTheMathsAreRefusedByName) {
  const std::pair<const char*, json> cases[] = {{"rope_scaling", {{"type", "linear"}, {"factor", 2.0}}},
                                                {"attention_bias", true},
                                                {"mlp_bias", true},
                                                {"hidden_act", "gelu"},
                                                {"rope_interleaved", true},
                                                {"sliding_window", 4096},
                                                {"quantization_config", {{"bits", 4}}},
                                                {"partial_rotary_factor", 0.5},
                                                {"logit_scale", 0.1}};
  for (const auto& [key, value] : cases) EXPECT_THAT(refusal(key, value), HasSubstr(key));
  EXPECT_THAT(refusal("rope_parameters", {{"rope_type", "llama3"}}), HasSubstr("rope_parameters.rope_type"));
  EXPECT_THAT(refusal("rope_parameters", {{"factor", 8.0}}), HasSubstr("rope_parameters.factor"));
  EXPECT_THAT(refusal("rope_parameters", 1), HasSubstr("rope_parameters"));
  EXPECT_THAT(refusal("model_type", "mistral"), HasSubstr("mistral"));
}

TEST(DecoderConfig, TheSameKeysWithHarmlessValuesPass) {
  const std::pair<const char*, json> cases[] = {
      {"rope_scaling", nullptr},   {"attention_bias", false},   {"mlp_bias", false},
      {"hidden_act", "silu"},      {"rope_interleaved", false}, {"use_cache", true},
      {"torch_dtype", "bfloat16"}, {"head_dim", nullptr},       {"num_key_value_heads", nullptr}};
  for (const auto& [key, value] : cases) EXPECT_NO_THROW(with(key, value)) << key;
}

TEST(DecoderConfig, MissingAndMistypedKeysAreNamed) {
  for (const char* key :
       {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"}) {
    json config = minimal();
    config.erase(key);
    EXPECT_THAT(error_of([&] { decoder_config_from_json(config, "config.json"); }), HasSubstr(key));
    EXPECT_THAT(refusal(key, "64"), HasSubstr(key));
    EXPECT_THAT(refusal(key, 64.5), HasSubstr(key));
    EXPECT_THAT(refusal(key, -1), HasSubstr(key));
  }
  EXPECT_THAT(refusal("tie_word_embeddings", 1), HasSubstr("tie_word_embeddings"));
  EXPECT_THAT(error_of([] { decoder_config_from_json(json::array(), "config.json"); }), HasSubstr("config.json"));
  EXPECT_THAT(error_of([] { decoder_config_from_json(json::object(), "config.json"); }), HasSubstr("model_type"));
}

TEST(DecoderConfig, SizesThatDoNotFitAreRefused) {
  EXPECT_THAT(refusal("num_attention_heads", 5), HasSubstr("not a multiple"));
  EXPECT_THAT(refusal("num_key_value_heads", 3), HasSubstr("num_key_value_heads"));
  EXPECT_THAT(refusal("head_dim", 7), HasSubstr("even"));
  EXPECT_THAT(refusal("rms_norm_eps", -1.0), HasSubstr("rms_norm_eps"));
  EXPECT_THAT(refusal("rope_theta", 0), HasSubstr("rope_theta"));
  EXPECT_THAT(refusal("hidden_size", int64_t{1} << 40), HasSubstr("out of range"));
}

TEST(DecoderConfig, RoundTripsThroughJson) {
  DecoderConfig config = with("head_dim", 32);
  config.num_key_value_heads = 2;
  config.rope_theta = 5e5;
  config.tie_word_embeddings = true;
  const DecoderConfig back = decoder_config_from_json(to_json(config), "config.json");
  EXPECT_EQ(to_json(back), to_json(config));
}

}  // namespace
}  // namespace detent
