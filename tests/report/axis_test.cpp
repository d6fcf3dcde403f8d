#include "detent/report/axis.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <cmath>

namespace detent::report {
namespace {

using testing::ElementsAre;

std::vector<std::string> labels(const Scale& scale, int wanted) {
  std::vector<std::string> out;
  for (const Tick& tick : ticks(scale, wanted)) out.push_back(tick.label);
  return out;
}

TEST(Ticks, LinearAreRoundNumbers) {
  EXPECT_THAT(labels({0, 10}, 5), ElementsAre("0", "2", "4", "6", "8", "10"));
  EXPECT_THAT(labels({-0.1, 0.2}, 3), ElementsAre("-0.1", "0", "0.1", "0.2"));
  EXPECT_THAT(labels({1.43, 1.61}, 4), ElementsAre("1.45", "1.50", "1.55", "1.60"));
  EXPECT_THAT(labels({0, 20000}, 4), ElementsAre("0", "5k", "10k", "15k", "20k"));
  EXPECT_THAT(labels({0, 3e6}, 3), ElementsAre("0", "1M", "2M", "3M"));
  EXPECT_THAT(labels({0, 4e-4}, 2), ElementsAre("0", "0.0002", "0.0004"));
  EXPECT_THAT(labels({0, 4e-6}, 2), ElementsAre("0", "2e-06", "4e-06"));
}

TEST(Ticks, LogarithmicArePowersWithTwoAndFiveWhereThereAreFew) {
  EXPECT_THAT(labels({0.4, 25, true}, 5), ElementsAre("0.5", "1", "2", "5", "10", "20"));
  EXPECT_THAT(labels({0.9, 110, true}, 5), ElementsAre("1", "10", "100"));
  EXPECT_THAT(labels({1e-4, 1, true}, 5), ElementsAre("1e-04", "0.001", "0.01", "0.1", "1"));
  EXPECT_THAT(labels({1e-8, 1, true}, 4), ElementsAre("1e-08", "1e-06", "1e-04", "0.01", "1"));
  EXPECT_THAT(labels({3, 4.5, true}, 3), ElementsAre("3.0", "3.5", "4.0", "4.5"));  // no three such numbers: as linear
}

TEST(Scale, Position) {
  EXPECT_DOUBLE_EQ((Scale{10, 20}).position(12.5), 0.25);
  EXPECT_DOUBLE_EQ((Scale{1, 100, true}).position(10), 0.5);
  EXPECT_TRUE(std::isnan((Scale{1, 100, true}).position(0)));
  EXPECT_TRUE(std::isnan((Scale{0, 1}).position(INFINITY)));
}

Scale fit(const Axis& axis, std::initializer_list<double> values, double air) {
  ScaleFit out(axis);
  for (const double value : values) out.include(value);
  return out.scale(air);
}

TEST(ScaleFit, AirStopsAtZero) {
  const Scale around = fit({}, {10, 20}, 0.1);
  EXPECT_DOUBLE_EQ(around.low, 9);
  EXPECT_DOUBLE_EQ(around.high, 21);
  EXPECT_DOUBLE_EQ(fit({}, {0.5, 10.5}, 0.1).low, 0);
  EXPECT_DOUBLE_EQ(fit({}, {-1, 1}, 0.5).low, -2);
}

TEST(ScaleFit, DegenerateRangesStillHaveALength) {
  EXPECT_LT(fit({}, {5, 5}, 0).low, fit({}, {5, 5}, 0).high);
  EXPECT_LT(fit({}, {0}, 0).low, fit({}, {0}, 0).high);
  EXPECT_LT(fit({}, {}, 0).low, fit({}, {}, 0).high);
  const Scale flat = fit({"", true, {}, {}}, {8, 8}, 0.1);
  EXPECT_DOUBLE_EQ(flat.low, 8 / 1.5);
  EXPECT_DOUBLE_EQ(flat.high, 12);
  EXPECT_GT(fit({"", true, {}, {}}, {-1, 0, NAN}, 0.1).low, 0);
}

TEST(ScaleFit, FixedEndsStay) {
  const Scale scale = fit({"", false, 0.0, 3.0}, {1, 9, NAN, INFINITY}, 0.5);
  EXPECT_EQ(scale.low, 0);
  EXPECT_EQ(scale.high, 3);
}

}  // namespace
}  // namespace detent::report
