#include "detent/deploy/recover.h"

#include <bit>
#include <cmath>

#include "detent/deploy/grid_detect.h"
#include "detent/format/half.h"
#include "tests/deploy/support.h"

namespace detent::test {
namespace {

GridSearch search(const LevelSet& set, bool half) { return {set, half ? is_half : std::function<bool(float)>()}; }

void expect_recovered(const std::vector<float>& values, const GridSearch& search) {
  std::vector<int8_t> levels(values.size());
  const auto d = recover_scale(values, search, levels);
  ASSERT_TRUE(d);
  EXPECT_TRUE(!search.is_scale || search.is_scale(*d));
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(*d * static_cast<float>(levels[i])), std::bit_cast<uint32_t>(values[i]));
    EXPECT_TRUE(search.levels.has(levels[i]));
  }
}

bool found(const std::vector<float>& values, bool half) {
  return recover_scale(values, search({-8, 7}, half)).has_value();
}

TEST(Recover, EveryScaleOfEitherSign) {
  std::mt19937 random(3);
  for (const LevelSet range : {LevelSet{-8, 7}, LevelSet{-1, 2}, LevelSet{-128, 127}, LevelSet{-7, 7, LevelSet::kOdd},
                               LevelSet{-12, 12, LevelSet::kTwiceE2M1}})
    for (int round = 0; round < 300; ++round) {
      const bool half = round % 2 == 0;
      float d = std::ldexp(static_cast<float>(random() % 2048 + 1), static_cast<int>(random() % 20) - 24);
      if (!half) d *= 1.0f + static_cast<float>(random() % 4096) * 0x1p-23f;
      if (round % 3 == 0) d = -d;
      std::vector<float> values(32);
      for (float& value : values) {
        int level = range.low + static_cast<int>(random() % static_cast<unsigned>(range.high - range.low + 1));
        while (!range.has(level)) ++level;
        value = d * static_cast<float>(level);
      }
      expect_recovered(values, search(range, half));
    }
}

TEST(Recover, ZerosOfEitherSign) {
  expect_recovered(std::vector<float>(32, 0.0f), search({-8, 7}, true));
  expect_recovered(std::vector<float>(32, -0.0f), search({-8, 7}, true));
  expect_recovered({0.0f, -0.0f, 0.0f, -0.0f}, search({-8, 7}, true));
  expect_recovered({0.0f, -0.0f, 0.0f, -0.0f}, search({-7, 7, LevelSet::kOdd}, true));
  const GridSearch powers{{-12, 12, LevelSet::kTwiceE2M1}, is_power_of_two};
  expect_recovered(std::vector<float>(32, 0.0f), powers);
  EXPECT_FALSE(recover_scale(std::vector<float>{-0.0f}, powers));  // no power of two times 0 is -0
  EXPECT_FALSE(found({0.0f, -0.0f, 1.0f}, true));
  EXPECT_FALSE(found({8, 7, 1, 0.0f}, true));  // d = -1 would turn the zero into -0
  EXPECT_TRUE(found({8, 7, 1, -0.0f}, true));
}

TEST(Recover, NothingWhereThereIsNoGrid) {
  EXPECT_FALSE(found({1.0f, 2.5f, 3.3f}, false));
  EXPECT_FALSE(found({1.0f, NAN}, false));
  EXPECT_FALSE(found({1.0f, INFINITY}, false));
  EXPECT_FALSE(found({0x1.00ap-3f, 0x1.00ap-2f}, true));  // d has 12 significant bits, and 2053 is prime
  EXPECT_TRUE(found({0x1.00ap-3f, 0x1.00ap-2f}, false));
}

at::Tensor on_grid(const QuantSpec& grid) {
  std::mt19937 random(5);
  at::Tensor latent = at::empty({48, 256}, at::kFloat);
  std::normal_distribution<float> normal(0, 0.02f);
  for (int64_t i = 0; i < latent.numel(); ++i) latent.mutable_data_ptr<float>()[i] = normal(random);
  return quantized_value(latent, grid);
}

std::vector<QuantSpec> detectable_specs() {
  std::vector<QuantSpec> specs;
  for (const char* group : {"32", "64", "128", "row"})
    for (const ScaleFormat format : {ScaleFormat::kFp32, ScaleFormat::kFp16, ScaleFormat::kFp16Bf16}) {
      const auto add = [&](const char* kind, int bits, ScaleRule rule) {
        specs.push_back(spec(kind, bits, group, rule, format));
      };
      for (int bits = 2; bits <= 8; ++bits) add("int", bits, ScaleRule::kAbsmaxSigned);
      for (int bits = 2; bits <= 6; ++bits) add("midrise", bits, ScaleRule::kAbsmaxFull);
      add("int", 4, ScaleRule::kAbsmaxFull);
      add("int_high", 3, ScaleRule::kAbsmaxSigned);
      add("ternary", 2, ScaleRule::kMean);
      add("binary", 1, ScaleRule::kMean);
    }
  return specs;
}

TEST(DetectGrid, FindsWhatWasUsed) {
  for (const QuantSpec& used : detectable_specs()) {
    SCOPED_TRACE(used.name());
    const auto found = detect_grid(on_grid(used));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->grid.name(), used.grid.name());
    EXPECT_EQ(found->granularity, used.granularity);
    EXPECT_EQ(found->exact_fraction, 1);
    EXPECT_TRUE(used.scale_format == ScaleFormat::kFp32 || found->scale_format != ScaleFormat::kFp32);
    EXPECT_TRUE(used.scale_rule != ScaleRule::kAbsmaxSigned || found->scale_rule == used.scale_rule);
  }
}

TEST(DetectGrid, FloatsLieOnNone) {
  std::mt19937 random(2);
  const at::Tensor plain = random_tensor({64, 128}, random);
  EXPECT_FALSE(detect_grid(plain));
  EXPECT_FALSE(detect_grid(plain.to(at::kHalf).to(at::kFloat)));
  EXPECT_FALSE(detect_grid(plain.to(at::kBFloat16).to(at::kFloat)));
  EXPECT_FALSE(detect_grid(at::ones({64})));
  EXPECT_FALSE(detect_grid(at::ones({0, 32})));
}

// What torch.round leaves: -0 where a small negative weight was.
TEST(DetectGrid, ZerosOfBothSignsAreReportedAndDoNotHideTheGrid) {
  at::Tensor values = on_grid(spec("int", 4, "32", ScaleRule::kAbsmax));
  EXPECT_FALSE(detect_grid(values)->mixed_zeros);
  const at::Tensor flip = at::arange(values.numel()).view(values.sizes()).remainder(3).eq(0);
  values = at::where(values.eq(0).logical_and(flip), at::full({}, -0.0f), values).contiguous();
  const auto found = detect_grid(values);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->mixed_zeros);
  EXPECT_EQ(found->grid.name(), "int4");
  EXPECT_EQ(found->granularity.size, 32);
  EXPECT_EQ(found->scale_rule, ScaleRule::kAbsmax);
}

TEST(DetectGrid, CountsTheGroupsThatAreOff) {
  at::Tensor values = on_grid(int4());
  values[3].slice(0, 0, 32).add_(0.001f);
  const auto found = detect_grid(values);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->grid.name(), "int4");
  EXPECT_DOUBLE_EQ(found->exact_fraction, 1 - 1.0 / (48 * 8));
}

}  // namespace
}  // namespace detent::test
