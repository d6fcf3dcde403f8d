// Scales of two levels: an integer of a few bits times a 16-bit float that 256 weights share.
#include "detent/format/two_level.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "detent/format/half.h"
#include "detent/format/spec.h"
#include "tests/support/special_floats.h"

namespace detent {
namespace {

using test::kInfinity;
using test::kNan;

constexpr ScaleFormat kFormats[] = {ScaleFormat::kQ2K, ScaleFormat::kQ3K, ScaleFormat::kQ4K};

std::vector<float> rounded(std::vector<float> scales, ScaleFormat format, int64_t group = 32) {
  round_row_scales(scales, group, format);
  return scales;
}

// Scales of eight groups, of sizes from 1e-7 to 1e5, some of them zero or negative.
std::vector<float> random_scales(std::mt19937& random) {
  std::vector<float> scales(8);
  const float size = std::pow(10.0f, std::uniform_real_distribution<float>(-7, 5)(random));
  for (float& scale : scales) scale = size * std::normal_distribution<float>(0, 1)(random);
  if (random() % 4 == 0) scales[random() % 8] = 0;
  return scales;
}

// Whether the format itself may have this super-scale.
std::function<bool(float)> supers_of(const TwoLevel& format) {
  return [format](float d) { return d <= format.top && round_scale(d, format.super) == d; };
}

std::optional<float> split(const std::vector<float>& scales, const TwoLevel& format, std::vector<int>& k) {
  return split_scales(scales, format, supers_of(format), k);
}

// The nearest k for this D, by trying them all in double.
double nearest(double scale, double d, const TwoLevel& format) {
  double best = 0;
  for (int k = format.low; k <= format.high; ++k)
    if (std::abs(scale - k * d) < std::abs(scale - best)) best = k * d;
  return best;
}

TEST(TwoLevel, EveryScaleIsTheNearestMultipleOfASharedSuperScale) {
  std::mt19937 random(1);
  for (const ScaleFormat format : kFormats)
    for (int i = 0; i < 2000; ++i) {
      const TwoLevel levels = two_level(format).value();
      const std::vector<float> raw = random_scales(random), got = rounded(raw, format);
      double top = 0;
      for (const float scale : raw) top = std::max<double>(top, levels.low < 0 ? std::fabs(scale) : scale);
      const double ideal = top / levels.high;
      std::vector<int> k(8);
      const auto d = split(got, levels, k);
      ASSERT_TRUE(d) << scale_format_name(format);
      const float super = std::min(round_scale(static_cast<float>(ideal), levels.super), levels.top);
      for (size_t j = 0; j < 8; ++j) EXPECT_NEAR(got[j], nearest(raw[j], super, levels), 1e-6 * top) << j;
    }
}

TEST(TwoLevel, RoundingTwiceIsRoundingOnce) {
  std::mt19937 random(2);
  for (const ScaleFormat format : kFormats)
    for (int i = 0; i < 2000; ++i) {
      std::vector<float> raw = random_scales(random);
      for (float& scale : raw) scale = scale * 1e-3f + 1e-2f;  // normal super-scales
      const std::vector<float> once = rounded(raw, format);
      EXPECT_EQ(rounded(once, format), once);
    }
}

TEST(TwoLevel, SuperBlocksAreApart) {
  std::vector<float> row = {1, 1, 1, 1, 1, 1, 1, 1, 1e-3f, 2e-3f, 0, 0, 0, 0, 0, 0};
  const std::vector<float> got = rounded(row, ScaleFormat::kQ4K);
  EXPECT_NEAR(got[0], 1, 1e-3);
  EXPECT_NEAR(got[8], 1e-3, 2e-5);
  EXPECT_NEAR(got[9], 2e-3, 2e-6);
}

TEST(TwoLevel, HostileScales) {
  for (const ScaleFormat format : kFormats) {
    const TwoLevel levels = two_level(format).value();
    EXPECT_EQ(rounded({0, -0.0f, 0, 0, 0, 0, 0, 0}, format), std::vector<float>(8, 0.0f));
    const auto nan = rounded({kNan, 1, 1, 1, 1, 1, 1, 1}, format);
    EXPECT_TRUE(std::isnan(nan[0]));
    EXPECT_NEAR(nan[1], 1, 1e-2);
    for (const float scale : rounded({kInfinity, 3e38f, -kInfinity, 1, -1, 0x1p-149f, 0, 0}, format))
      EXPECT_LE(std::fabs(scale), levels.top * 32 * (levels.low < 0 ? 1 : 2));
    EXPECT_EQ(rounded({0x1p-149f, 1e-30f, 0, 0, 0, 0, 0, 0}, format), std::vector<float>(8, 0.0f));
    if (levels.low == 0)
      EXPECT_EQ(rounded({-1, -2, -3, -1, -1, -1, -1, -1}, format), std::vector<float>(8, 0.0f));
    else
      EXPECT_NEAR(rounded({-1, 0.5f, 0, 0, 0, 0, 0, 0}, format)[0], -1, 1e-3);
  }
}

TEST(TwoLevel, SplitFindsOnlyWhatIsThere) {
  std::vector<int> k(2);
  const TwoLevel q4 = two_level(ScaleFormat::kQ4K).value(), q2 = two_level(ScaleFormat::kQ2K).value();
  EXPECT_EQ(split({63.0f, 1.0f}, q4, k), 1.0f);
  EXPECT_EQ(k, (std::vector<int>{63, 1}));
  EXPECT_EQ(split({64.0f, 1.0f}, q4, k), std::nullopt);
  EXPECT_EQ(split({16.0f, 1.0f}, q2, k), std::nullopt);
  EXPECT_EQ(split({-1.0f, 1.0f}, q4, k), std::nullopt);
  const TwoLevel q3 = two_level(ScaleFormat::kQ3K).value();
  const auto d = split({-1.0f, 1.0f}, q3, k);
  ASSERT_TRUE(d);
  EXPECT_EQ(*d * static_cast<float>(k[0]), -1.0f);
  EXPECT_EQ(k[0], -k[1]);
  EXPECT_EQ(split({0.1f, 0.1f}, q4, k), std::nullopt);  // no fp16 in it
  EXPECT_EQ(split({kNan, kInfinity}, q4, k), std::nullopt);
  EXPECT_EQ(split({0, 0}, q4, k), 0.0f);
}

TEST(TwoLevel, SpecsThatDoNotGoWithIt) {
  const auto problem = [](const char* group, ScaleRule rule, ScaleFormat format) {
    return spec_problem({make_grid("int", 4), parse_granularity(group), rule, format}).value_or("fine");
  };
  for (const ScaleFormat format : kFormats) {
    EXPECT_EQ(problem("16", ScaleRule::kAbsmax, format), "fine");
    EXPECT_EQ(problem("32", ScaleRule::kLearned, format), "fine");
    EXPECT_THAT(problem("row", ScaleRule::kAbsmax, format), testing::HasSubstr("set group: 16 or 32"));
    EXPECT_THAT(problem("96", ScaleRule::kAbsmax, format), testing::HasSubstr("set group: 16 or 32"));
    EXPECT_FALSE(has_fixed_point(make_grid("int", 4), ScaleRule::kAbsmax, format));
    EXPECT_TRUE(has_fixed_point(make_grid("int", 4), ScaleRule::kLearned, format));
  }
  EXPECT_THAT(problem("32", ScaleRule::kAbsmaxSigned, ScaleFormat::kQ4K), testing::HasSubstr("no negative scales"));
  EXPECT_EQ(problem("32", ScaleRule::kAbsmaxSigned, ScaleFormat::kQ3K), "fine");
}

}  // namespace
}  // namespace detent
