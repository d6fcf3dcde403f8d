// quant.target: what a run will be shipped as chooses what is left open, and what it could not hold never trains.
#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include "detent/base/error.h"
#include "detent/format/target_rules.h"
#include "detent/train/session.h"

namespace detent {
namespace {

using testing::HasSubstr;

TrainConfig config_of(const std::string& quant) {
  return train_config_from_node(
      parse_yaml("model: {hidden_size: 256, intermediate_size: 256, num_hidden_layers: 1, num_attention_heads: 4}\n"
                 "data: {train: [a], valid: b, tokenizer: bytes, sequence_length: 16}\n"
                 "quant: " +
                     quant + "\n",
                 "config.yaml"));
}

std::string refusal(const std::string& quant) {
  try {
    Session::check(config_of(quant));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadInput);
    return error.what();
  }
  return "";
}

QuantSpec weight_spec(const std::string& quant) { return to_spec(*config_of(quant).quant->weights, "quant.weights"); }

TEST(QuantTarget, AloneItChoosesWhatTheTargetPrefers) {
  for (const auto& rules : target_rules()) {
    SCOPED_TRACE(rules->name());
    const std::string quant = "{target: " + rules->name() + "}";
    const auto preferred = rules->preferred();
    if (!preferred) {
      EXPECT_THAT(refusal(quant), HasSubstr("quant.target has no effect: no weights are quantized"));
      continue;
    }
    EXPECT_EQ(weight_spec(quant), *preferred);
    EXPECT_EQ(config_of(quant).quant->unquantized, rules->unquantized());
    EXPECT_EQ(refusal(quant), "");
  }
}

TEST(QuantTarget, GivenKeysAndPresetsWin) {
  EXPECT_EQ(weight_spec("{target: gguf:q4_0, weights: {group: 64}}").name(), "int4 absmax_signed 64 fp16");
  EXPECT_EQ(weight_spec("{target: gguf:q4_0, weights: {bits: 3}}").name(), "int3 absmax_signed 32 fp16");
  EXPECT_EQ(weight_spec("{target: gguf:q4_0, weights: {grid: midrise, bits: 3}}").name(),
            "midrise3 absmax_full 32 fp16");
  EXPECT_EQ(weight_spec("{target: gguf:q4_0, preset: lsq_w4}").name(), "int4 learned row fp16");
  EXPECT_EQ(config_of("{target: gguf:q4_0, unquantized: q8_0}").quant->unquantized, "q8_0");
  for (const char* quant :
       {"{target: gguf:q4_0, weights: {group: 64}}", "{target: gguf:q4_0, weights: {grid: midrise, bits: 3}}",
        "{target: gguf:q4_0, preset: lsq_w4}", "{target: gguf:f32, weights: {grid: midrise, bits: 3, scale: rms}}"})
    EXPECT_EQ(refusal(quant), "");
}

TEST(QuantTarget, TheResolvedConfigurationMeansTheSame) {
  TrainConfig config = config_of("{target: gguf:q2_0, weights: {group: 128}}");
  const TrainConfig again = train_config_from_node(parse_yaml(resolved_yaml(config), "resolved"));
  EXPECT_EQ(again.quant->target, "gguf:q2_0");
  EXPECT_EQ(to_spec(*again.quant->weights, ""), to_spec(*config.quant->weights, ""));
  EXPECT_EQ(again.quant->unquantized, "f16");
}

TEST(QuantTarget, WhatDoesNotFitIsRefusedWithTheNearestThatDoes) {
  const std::string what = refusal("{target: gguf:q4_0, weights: {grid: midrise, bits: 4}}");
  EXPECT_THAT(what, HasSubstr("config.yaml:3: quant.weights does not go with quant.target: gguf:q4_0 cannot hold "
                              "model.layers.0.self_attn.q_proj.weight (midrise4 absmax_full 32 fp16) exactly"));
  EXPECT_THAT(what, HasSubstr("the nearest accepted is: int4 absmax_full 32 fp16"));
  EXPECT_THAT(refusal("{target: gguf:q4_0, weights: {scale_format: fp32}}"), HasSubstr("scale_format fp32"));
  EXPECT_THAT(refusal("{target: gguf:q4_0, layers: [{match: '*.up_proj', weights: {bits: 5}}]}"),
              HasSubstr("config.yaml:3: quant.layers: quant.weights does not go with quant.target"));
  EXPECT_THAT(refusal("{target: gguf:f32, weights: {grid: midrise, rotation: hadamard_half, scale: rms}}"),
              HasSubstr("the nearest accepted is: midrise4 rms row hadamard"));
}

TEST(QuantTarget, BadNamesAndTargetsWithoutEffect) {
  EXPECT_THAT(refusal("{target: gguf:q4}"), HasSubstr("config.yaml:3: quant.target"));
  EXPECT_THAT(refusal("{target: gguf:q4}"), HasSubstr("did you mean 'gguf:q4_0'"));
  EXPECT_THAT(refusal("{target: [a]}"), HasSubstr("quant.target"));
  EXPECT_THAT(refusal("{target: gguf:q4_0, weights: none}"), HasSubstr("quant.target has no effect"));
}

}  // namespace
}  // namespace detent
