#include "detent/format/scale.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "detent/base/error.h"
#include "detent/format/half.h"
#include "tests/support/special_floats.h"

namespace detent {
namespace {

using test::kInfinity;

// Four elements: 1, -3, 2, 2.
constexpr GroupStats kStats{.absmax = 3, .extreme = -3, .sum_abs = 8, .sum_squares = 18};
const double kRms = std::sqrt(18.0 / 4);

struct ClosedForm {
  const char* grid;
  int bits;
  ScaleRule rule;
  double scale;
};

TEST(ScaleRules, ClosedForms) {
  const ClosedForm cases[] = {
      {"int", 4, ScaleRule::kAbsmax, 3.0 / 7},
      {"int", 2, ScaleRule::kAbsmax, 3.0},
      {"int_high", 2, ScaleRule::kAbsmax, 3.0},
      {"int_high", 4, ScaleRule::kAbsmax, 3.0 / 7},
      {"ternary", 2, ScaleRule::kAbsmax, 3.0},
      {"binary", 1, ScaleRule::kAbsmax, 3.0},
      {"int", 4, ScaleRule::kAbsmaxFull, 3 / 7.5},
      {"int", 8, ScaleRule::kAbsmaxFull, 3 / 127.5},
      {"midrise", 4, ScaleRule::kAbsmaxFull, 3 / 7.5},
      {"midrise", 1, ScaleRule::kAbsmaxFull, 3 / 0.5},
      {"int", 4, ScaleRule::kAbsmaxSigned, -3.0 / -8},
      {"int_high", 2, ScaleRule::kAbsmaxSigned, -3.0 / 2},
      {"midrise", 4, ScaleRule::kRms, 2 * (2.513930578568423 * kRms + 1e-8) / 15},
      {"midrise", 1, ScaleRule::kRms, 2 * (0.7978845587140913 * kRms + 1e-8)},
      {"ternary", 2, ScaleRule::kRms, 1.2240089519030855 * kRms},
      {"binary", 1, ScaleRule::kRms, 0.7978845587140913 * kRms},
      {"ternary", 2, ScaleRule::kMean, 2.0},
      {"binary", 1, ScaleRule::kMean, 2.0},
      {"int", 4, ScaleRule::kMean, 2 * 2.0 / std::sqrt(7.0)},
      {"int", 2, ScaleRule::kMean, 2 * 2.0},
      {"e2m1", 4, ScaleRule::kAbsmax, 3.0 / 6},
      {"e2m1", 4, ScaleRule::kAbsmaxFull, 0.5},  // 3 is between 4 and 8 halves
  };
  for (const ClosedForm& c : cases)
    EXPECT_FLOAT_EQ(scale_from_stats(kStats, 4, make_grid(c.grid, c.bits), c.rule), static_cast<float>(c.scale))
        << c.grid << c.bits << " " << scale_rule_name(c.rule);
}

// OCP Microscaling Formats v1.0, section 6.3: the largest power of two not above max|x|, over that of E2M1, which is 4.
TEST(ScaleRules, MicroscalingPutsTheLargestFromFourToEight) {
  const Grid grid = make_grid("e2m1", 4);
  for (int exponent = -126; exponent <= 127; ++exponent)
    for (const float fraction : {1.0f, std::nextafter(1.0f, 2.0f), 1.5f, std::nextafter(2.0f, 1.0f)}) {
      const float absmax = std::ldexp(fraction, exponent);
      const float scale = scale_from_stats({.absmax = absmax}, 32, grid, ScaleRule::kAbsmaxFull);
      EXPECT_EQ(scale, std::ldexp(1.0f, exponent - 2)) << absmax;
      EXPECT_GE(absmax / scale, 4);
      EXPECT_LT(absmax / scale, 8);
    }
  EXPECT_EQ(scale_from_stats({.absmax = 0}, 32, grid, ScaleRule::kAbsmaxFull), 0);
}

TEST(ScaleRules, AGroupThatIsNotFiniteHasNoScale) {
  GroupStats stats = kStats;
  stats.finite = false;
  EXPECT_TRUE(std::isnan(scale_from_stats(stats, 4, make_grid("int", 4), ScaleRule::kAbsmax)));
}

TEST(ScaleRules, ARuleThatDoesNotFitFails) {
  EXPECT_THROW(scale_from_stats(kStats, 4, make_grid("midrise", 4), ScaleRule::kAbsmax), Error);
  EXPECT_THROW(scale_from_stats(kStats, 4, make_grid("int", 4), ScaleRule::kRms), Error);
  EXPECT_THROW(scale_from_stats(kStats, 4, make_grid("e2m1", 4), ScaleRule::kRms), Error);
  EXPECT_THROW(scale_from_stats(kStats, 4, make_grid("e2m1", 4), ScaleRule::kMean), Error);
  EXPECT_THROW(scale_from_stats(kStats, 4, make_grid("int", 4), ScaleRule::kLearned), Error);
}

// The mean squared error of N(0, 1) quantized with a mid-rise grid that clips at `clip`, by summing over the density.
double gaussian_error(int bits, double clip) {
  const double levels = std::exp2(bits), step = 2 * clip / (levels - 1), dx = 1e-3;
  double error = 0;
  for (double x = dx / 2; x < 9; x += dx) {
    const double value = std::min(std::floor(x / step) + 0.5, levels / 2 - 0.5) * step;
    error += 2 * dx * (x - value) * (x - value) * std::exp(-x * x / 2) / std::sqrt(2 * 3.14159265358979);
  }
  return error;
}

// QuEST's source's constants: the optimum to 1 % in the error (7 bits: 3.611 and 8 bits: 3.922 would be exact).
TEST(ScaleRules, ClippingPointsAreNearTheGaussianOptimum) {
  for (int bits = 1; bits <= 8; ++bits) {
    const double clip = gaussian_clip(bits), error = gaussian_error(bits, clip);
    for (double other : {0.97 * clip, 1.03 * clip}) EXPECT_LT(error, 1.01 * gaussian_error(bits, other)) << bits;
  }
  EXPECT_THROW(gaussian_clip(9), Error);
}

TEST(RoundScale, Fp32IsLeftAlone) {
  for (float scale : {0.1f, -3e38f, 1e-42f, kInfinity}) EXPECT_EQ(round_scale(scale, ScaleFormat::kFp32), scale);
}

TEST(RoundScale, Fp16RoundsAndSaturates) {
  EXPECT_EQ(round_scale(0.1f, ScaleFormat::kFp16), 0.0999755859375f);
  EXPECT_EQ(round_scale(-0.1f, ScaleFormat::kFp16), -0.0999755859375f);
  EXPECT_EQ(round_scale(1e-9f, ScaleFormat::kFp16), 0.0f);
  EXPECT_EQ(round_scale(0x1p-24f, ScaleFormat::kFp16), 0x1p-24f);
  for (float scale : {65504.0f, 65519.9f, 65520.0f, 1e30f, kInfinity}) {
    EXPECT_EQ(round_scale(scale, ScaleFormat::kFp16), 65504.0f);
    EXPECT_EQ(round_scale(-scale, ScaleFormat::kFp16), -65504.0f);
    EXPECT_EQ(round_scale(scale, ScaleFormat::kFp16Bf16), 65280.0f);
    EXPECT_EQ(round_scale(-scale, ScaleFormat::kFp16Bf16), -65280.0f);
  }
}

TEST(RoundScale, E8M0IsTheNearestPowerOfTwo) {
  const auto rounded = [](float scale) { return round_scale(scale, ScaleFormat::kE8M0); };
  for (int exponent = -126; exponent <= 126; ++exponent) {
    const float power = std::ldexp(1.0f, exponent);
    EXPECT_EQ(rounded(power), power);
    EXPECT_EQ(rounded(std::nextafter(1.5f * power, 0.0f)), power);
    EXPECT_EQ(rounded(1.5f * power), 2 * power);
    EXPECT_EQ(rounded(-power), power);
  }
  EXPECT_EQ(rounded(0x1p-127f), 0x1p-127f);
  for (const float tiny : {0.0f, -0.0f, 1e-45f, 0x1.7p-127f}) EXPECT_EQ(rounded(tiny), 0x1p-127f);
  for (const float huge : {0x1p127f, 0x1.9p127f, kInfinity, -kInfinity}) EXPECT_EQ(rounded(huge), 0x1p127f);
}

TEST(RoundScale, NanStaysNan) {
  for (ScaleFormat format : {ScaleFormat::kFp32, ScaleFormat::kFp16, ScaleFormat::kFp16Bf16, ScaleFormat::kE8M0})
    EXPECT_TRUE(std::isnan(round_scale(std::numeric_limits<float>::quiet_NaN(), format)));
}

// Over floats of every exponent: the result is a number of the format, near, in order, and rounding it again is idle.
TEST(RoundScale, GivesNumbersOfTheFormat) {
  for (ScaleFormat format : {ScaleFormat::kFp16, ScaleFormat::kFp16Bf16}) {
    const double precision = format == ScaleFormat::kFp16 ? 0x1p-11 : 0x1p-8;
    float previous = 0;
    for (uint32_t bits = 0x2f000000u; bits < 0x477f0000u; bits += 4097) {
      const float scale = std::bit_cast<float>(bits), rounded = round_scale(scale, format);
      ASSERT_EQ(half_bits_to_float(float_to_half_bits(rounded)), rounded) << scale;
      if (format == ScaleFormat::kFp16Bf16) {
        ASSERT_EQ(bf16_bits_to_float(float_to_bf16_bits(rounded)), rounded) << scale;
      }
      ASSERT_LE(std::fabs(double{rounded} - scale), precision * scale + 0x1p-25) << scale;
      ASSERT_GE(rounded, previous) << scale;
      ASSERT_EQ(round_scale(rounded, format), rounded) << scale;
      previous = rounded;
    }
  }
}

TEST(Names, ComeBack) {
  for (const std::string& name : scale_rule_names()) EXPECT_EQ(scale_rule_name(parse_scale_rule(name)), name);
  for (const std::string& name : scale_format_names()) EXPECT_EQ(scale_format_name(parse_scale_format(name)), name);
  EXPECT_THROW(parse_scale_rule("median"), Error);
}

}  // namespace
}  // namespace detent
