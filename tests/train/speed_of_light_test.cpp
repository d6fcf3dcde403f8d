// The least time of a step against counts made by hand for a model of two layers.
#include "detent/train/speed_of_light.h"

#include <gtest/gtest.h>

#include <cmath>

#include "detent/models/causal_lm.h"
#include "tests/support/small_model.h"

namespace detent {
namespace {

struct Small {
  CausalLm model;
  QuantizedModel quantized;
  TrainConfig config;

  explicit Small(const char* quant, DecoderConfig shape = test::small_config()) : model(shape, 0) {
    config.train.batch_size = 3;
    config.train.gradient_accumulation = 2;
    config.data.sequence_length = 16;
    QuantOptions options;
    read_options(parse_yaml(quant, "quant"), options);
    quantized = attach(options, model.slots());
  }
  StepWork work(bool kernels = true) {
    std::vector<OptimizedParameter> parameters;
    for (const nn::Slot& slot : model.slots()) parameters.push_back({slot.name, *slot.parameter, 0, 1, nullptr});
    return step_work(model.config(), model.slots(), quantized, parameters, config, kernels);
  }
};

// hidden 32, intermediate 48, 4 heads of 8, keys and values of 2 heads; 96 tokens a step.
constexpr double kTokens = 3 * 16 * 2;
constexpr double kBlock = 32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 48;  // q; k, v; o; gate, up, down
constexpr double kHead = 257 * 32;
constexpr double kAttention =
    6 * 32 * 8.5;  // scores and mixture, and two products backward for each; (16 + 1) / 2 keys
constexpr double kParameters = 2 * kHead + 2 * (kBlock + 2 * 32) + 32;

TEST(SpeedOfLight, ProductsAndBytesOfFullPrecision) {
  Small small("{}");
  StepWork work = small.work();
  EXPECT_EQ(work.float_products, kTokens * (3 * kHead + 2 * (3 * kBlock + kAttention)));
  EXPECT_EQ(work.integer_products, 0);
  EXPECT_EQ(work.bytes, 28 * kParameters);
  small.config.optimizer.name = "sgd";
  EXPECT_EQ(small.work().bytes, 20 * kParameters);
  small.config.optimizer.momentum = 0;
  EXPECT_EQ(small.work().bytes, 12 * kParameters);
}

TEST(SpeedOfLight, CodesAreMultipliedForward) {
  Small small(
      "{weights: {grid: int, bits: 4, group: row, scale: absmax}, activations: {grid: int, bits: 8, group: token, "
      "scale: absmax}}");
  const StepWork work = small.work(), elsewhere = small.work(false);
  EXPECT_EQ(work.integer_products, kTokens * 2 * kBlock);
  EXPECT_EQ(work.float_products, kTokens * (3 * kHead + 2 * (2 * kBlock + kAttention)));
  EXPECT_EQ(work.bytes, 28 * kParameters + 5 * 2 * kBlock);
  EXPECT_EQ(elsewhere.integer_products, 0);
  EXPECT_EQ(elsewhere.float_products, kTokens * (3 * kHead + 2 * (3 * kBlock + kAttention)));
  EXPECT_EQ(elsewhere.bytes, 28 * kParameters + 8 * 2 * kBlock);
}

TEST(SpeedOfLight, WindowsDocumentsAndTiedHeads) {
  DecoderConfig shape = test::small_config();
  shape.tie_word_embeddings = true;
  shape.sliding_window = 4;  // 1 + 2 + 3 + 13 times 4 keys for 16 positions
  shape.sliding_layers = {true, false};
  Small small("{}", shape);
  EXPECT_EQ(small.work().float_products, kTokens * (3 * kHead + 2 * 3 * kBlock + 6 * 32 * 58.0 / 16 + kAttention));
  EXPECT_EQ(small.work().bytes, 28 * (kParameters - kHead));
  small.config.data.packing = "documents";
  EXPECT_EQ(small.work().float_products, kTokens * (3 * kHead + 2 * 3 * kBlock));
}

// A product is two operations; where no instruction multiplies codes, they take the floats' time.
TEST(SpeedOfLight, TimesAddUp) {
  EXPECT_DOUBLE_EQ(least_seconds({6e9, 0, 2e9}, {6e9, 0, 4e9}), 2.5);
  EXPECT_DOUBLE_EQ(least_seconds({6e9, 1e9, 2e9}, {6e9, 4e9, 4e9}), 3);
  EXPECT_DOUBLE_EQ(least_seconds({6e9, 3e9, 2e9}, {6e9, 0, 4e9}), 3.5);
}

TEST(SpeedOfLight, PeaksAreThoseOfAMachine) {
  const Peaks peaks = peaks_for({1e6, 1e6, 1e6}, at::kCPU);
  for (const double rate : {peaks.floats, peaks.bytes}) {
    EXPECT_GT(rate, 1e7);
    EXPECT_LT(rate, 1e15);
  }
}

}  // namespace
}  // namespace detent
