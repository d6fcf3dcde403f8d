// Generation: the cache against reading everything again, sampling against its definition, and how a text ends.
#include "detent/train/generate.h"

#include <ATen/ATen.h>
#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include "detent/qat/attach.h"
#include "detent/qat/presets.h"
#include "tests/io/support.h"
#include "tests/support/small_model.h"

namespace detent {
namespace {

using io::test::error_of;
using testing::HasSubstr;

DecoderConfig small_config() {
  DecoderConfig config = test::small_config();
  config.vocab_size = 50;
  config.initializer_range = 0.3;  // wide, so that the choice of the next id is clear
  return config;
}

const std::vector<int32_t> kPrompt = {3, 14, 15, 9, 26, 5};

// The plain twin: the most likely id after all ids so far, read as a whole each time.
std::vector<int32_t> read_again(CausalLm& model, int64_t tokens) {
  const at::NoGradGuard guard;
  std::vector<int64_t> ids(kPrompt.begin(), kPrompt.end());
  for (int64_t i = 0; i < tokens; ++i) {
    const at::Tensor logits = model.logits(at::tensor(ids, at::kLong).unsqueeze(0));
    ids.push_back(logits.select(1, -1).argmax(-1).item<int64_t>());
  }
  return {ids.begin() + static_cast<int64_t>(kPrompt.size()), ids.end()};
}

Generated greedy(CausalLm& model, int64_t tokens, const std::vector<int32_t>& stop = {}) {
  return generate(model, kPrompt, {.tokens = tokens, .stop = stop}, [](int32_t) { return true; });
}

TEST(Generate, TheCacheChoosesWhatReadingAgainChooses) {
  DecoderConfig window = small_config(), dynamic = small_config(), normed = small_config();
  window.architecture = "mistral";
  window.sliding_window = 4;
  window.sliding_layers = {true, true};
  dynamic.rope_scaling = {.type = RopeType::kDynamic, .factor = 4};
  dynamic.max_position_embeddings = 10;  // passed on the way
  normed.architecture = "qwen3";
  normed.qk_norm = true;
  for (const DecoderConfig& config : {small_config(), window, dynamic, normed}) {
    CausalLm model(config, 7);
    EXPECT_EQ(greedy(model, 30).ids, read_again(model, 30)) << config.architecture;
  }
}

// Scales of activations are found token by token, so what came before does not move them.
TEST(Generate, QuantizedActivationsAgreeToo) {
  for (const char* yaml :
       {"{activations: {grid: int, bits: 8, group: token, scale: absmax}}", "{preset: quest_w4a4}"}) {
    CausalLm model(small_config(), 8);
    Node node = parse_yaml(yaml, "quant");
    expand_quant(node);
    QuantOptions options;
    read_options(node, options);
    const QuantizedModel quantized = attach(options, model.slots());
    EXPECT_EQ(greedy(model, 30).ids, read_again(model, 30)) << yaml;
  }
}

TEST(Generate, EndsAsItWasAskedTo) {
  CausalLm model(small_config(), 7);
  const std::vector<int32_t> all = greedy(model, 20).ids;
  ASSERT_EQ(all.size(), 20u);
  const Generated stopped = greedy(model, 20, {all[5], 49});
  EXPECT_EQ(stopped.reason, StopReason::kStopId);
  EXPECT_EQ(stopped.ids, std::vector<int32_t>(all.begin(), std::find_if(all.begin(), all.end(), [&](int32_t id) {
                                                return id == all[5] || id == 49;
                                              })));
  int calls = 0;
  const Generated called = generate(model, kPrompt, {.tokens = 20}, [&](int32_t) { return ++calls < 3; });
  EXPECT_EQ(called.reason, StopReason::kCaller);
  EXPECT_EQ(called.ids, std::vector<int32_t>(all.begin(), all.begin() + 3));
  EXPECT_TRUE(greedy(model, 0).ids.empty());
}

TEST(Generate, TheContextHasAnEnd) {
  DecoderConfig config = small_config();
  config.max_position_embeddings = 10;
  CausalLm model(config, 7);
  const Generated full = greedy(model, 20);
  EXPECT_EQ(full.reason, StopReason::kContextFull);
  EXPECT_EQ(full.ids.size(), 10 - kPrompt.size() + 1);  // the last id needs no place of its own
  EXPECT_EQ(full.ids, read_again(model, static_cast<int64_t>(full.ids.size())));
  const std::vector<int32_t> eleven(11, 1);
  EXPECT_THAT(error_of([&] { generate(model, eleven, {}, [](int32_t) { return true; }); }), HasSubstr("11 ids"));
  EXPECT_THAT(error_of([&] { generate(model, {}, {}, [](int32_t) { return true; }); }), HasSubstr("empty"));
}

TEST(Sample, EveryWayToTheMostLikely) {
  const std::vector<float> logits = {0.5f, 2.0f, -1.0f, 2.0f, 1.9f};
  for (const GenerateOptions& options :
       {GenerateOptions{}, {.temperature = 5, .top_k = 1}, {.temperature = 5, .top_p = 0}, {.temperature = 1e-9}})
    for (uint64_t draw = 0; draw < 20; ++draw) {
      const int32_t id = sample(logits, {}, options, draw);
      if (options.temperature == 1e-9)
        EXPECT_TRUE(id == 1 || id == 3);
      else
        EXPECT_EQ(id, 1);  // of equals the first
    }
}

// Shares of 20,000 draws against the probabilities of the definition; 0.02 is over five standard deviations.
void expect_shares(const std::vector<float>& logits, const GenerateOptions& options,
                   const std::vector<double>& expected) {
  std::vector<int> counts(logits.size());
  for (uint64_t draw = 0; draw < 20000; ++draw) ++counts[static_cast<size_t>(sample(logits, {}, options, draw))];
  for (size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(counts[i] / 20000.0, expected[i], 0.02) << i;
}

TEST(Sample, DrawsTheProbabilitiesOfItsDefinition) {
  const double l2 = std::log(2.0);
  // Probabilities 8, 4, 2, 1, 1 of 16.
  const std::vector<float> logits = {0, static_cast<float>(l2), static_cast<float>(3 * l2), 0,
                                     static_cast<float>(2 * l2)};
  expect_shares(logits, {.temperature = 1}, {1 / 16., 2 / 16., 8 / 16., 1 / 16., 4 / 16.});
  expect_shares(logits, {.temperature = 1, .top_k = 2}, {0, 0, 8 / 12., 0, 4 / 12.});
  expect_shares(logits, {.temperature = 1, .top_p = 0.8}, {0, 2 / 14., 8 / 14., 0, 4 / 14.});  // 8 + 4 are not yet 0.8
  expect_shares(logits, {.temperature = 0.5}, {1 / 86., 4 / 86., 64 / 86., 1 / 86., 16 / 86.});
  expect_shares(logits, {.temperature = 1, .top_k = 3, .top_p = 0.7}, {0, 0, 8 / 12., 0, 4 / 12.});
}

TEST(Sample, ManyIdsAreRankedNoFurtherThanNeeded) {
  std::vector<float> logits(5000);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>((i * 7919) % 5000) * 1e-3f;
  std::set<int32_t> seen;
  for (uint64_t draw = 0; draw < 2000; ++draw)
    seen.insert(sample(logits, {}, {.temperature = 100, .top_k = 700}, draw));
  for (const int32_t id : seen) EXPECT_GE((id * 7919) % 5000, 4300);
  EXPECT_GT(seen.size(), 500u);
}

// arXiv 1909.05858: positive logits are divided, negative ones multiplied; once for an id, however often it came.
TEST(Sample, RepetitionIsPenalized) {
  const GenerateOptions options{.repetition_penalty = 2};
  EXPECT_EQ(sample({3.0f, 2.0f, -5.0f}, {}, options, 0), 0);
  EXPECT_EQ(sample({3.0f, 2.0f, -5.0f}, {0, 0, 0}, options, 0), 1);
  EXPECT_EQ(sample({-3.0f, -4.0f, -5.0f}, {0}, options, 0), 1);
  EXPECT_EQ(sample({3.9f, 2.0f, -5.0f}, {0, 1}, options, 0), 0);
}

TEST(Sample, TheSeedDecides) {
  const std::vector<float> logits(100, 0.0f);
  const auto draws = [&](uint64_t seed) {
    std::vector<int32_t> ids;
    for (uint64_t i = 0; i < 50; ++i) ids.push_back(sample(logits, {}, {.temperature = 1, .seed = seed}, i));
    return ids;
  };
  EXPECT_EQ(draws(1), draws(1));
  EXPECT_NE(draws(1), draws(2));
}

}  // namespace
}  // namespace detent
