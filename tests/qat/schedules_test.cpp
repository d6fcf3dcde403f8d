// The methods' schedules by closed form: CAGE's ramp and sizes (arXiv 2510.18784), alpha-blending's rise (1903.01061),
// WinQ's resets (2605.17471).
#include <gtest/gtest.h>

#include "detent/qat/alpha_blending.h"
#include "detent/qat/cage.h"
#include "detent/qat/winq.h"

namespace detent {
namespace {

TEST(Schedules, AlphaRisesWithTheCubeOfTheTimeLeft) {
  const AlphaBlendingOptions cubic{.start = 0.2, .end = 0.8, .exponent = 3};
  EXPECT_EQ(blend_at(cubic, 20, 100), 0);
  EXPECT_NEAR(blend_at(cubic, 35, 100), 1 - 27.0 / 64, 1e-12);  // three quarters of the window left
  EXPECT_NEAR(blend_at(cubic, 50, 100), 7.0 / 8, 1e-12);
  EXPECT_EQ(blend_at(cubic, 80, 100), 1);
  EXPECT_EQ(blend_at(cubic, 100, 100), 1);
  EXPECT_NEAR(blend_at({.start = 0, .end = 1, .exponent = 1}, 3, 4), 0.75, 1e-12);
}

TEST(Schedules, CageIsSilentThenRisesToItsFullSize) {
  CageOptions cage;
  cage.start = 0.8;
  EXPECT_EQ(cage_ramp(cage, 80, 100), 0);
  EXPECT_NEAR(cage_ramp(cage, 85, 100), 0.25, 1e-12);
  EXPECT_NEAR(cage_ramp(cage, 100, 100), 1, 1e-12);
  cage.ramp = "constant";
  EXPECT_EQ(cage_ramp(cage, 80, 100), 0);
  EXPECT_EQ(cage_ramp(cage, 81, 100), 1);
}

// strength = lambda * sum of rates, pull = lambda * half a step: whichever is given, the other two follow.
TEST(Schedules, CageSizesAreThreeNamesOfOne) {
  const double sum_of_rates = 0.25, half_step = 0.5;
  CageOptions by_lambda, by_strength, by_pull;
  by_lambda.lambda = 8;
  by_strength.strength = 2;
  by_pull.pull = 4;
  for (const CageOptions& options : {by_lambda, by_strength, by_pull}) {
    const CageSize size = cage_size(options, sum_of_rates, half_step);
    EXPECT_NEAR(size.lambda, 8, 1e-12);
    EXPECT_NEAR(size.strength, 2, 1e-12);
    EXPECT_NEAR(size.pull, 4, 1e-12);
  }
}

TEST(Schedules, WinqResetsEveryKthStep) {
  WinqOptions winq;
  winq.every = 3;
  EXPECT_FALSE(winq.resets_after(2));
  EXPECT_TRUE(winq.resets_after(3));
  EXPECT_TRUE(winq.resets_after(6));
  winq.interpolation = 0;
  EXPECT_FALSE(winq.resets_after(3));
}

}  // namespace
}  // namespace detent
