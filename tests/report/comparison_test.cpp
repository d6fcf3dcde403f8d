#include "detent/report/comparison.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <cmath>

#include "detent/base/error.h"

namespace detent::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ArmRun run(const std::string& name, const std::string& bits, Role role, long seed, std::optional<double> loss) {
  ArmRun out;
  out.name = name;
  out.bits = bits;
  out.role = role;
  out.seed = seed;
  out.validation_loss = loss;
  return out;
}

// Control 1.0, rounding 3.0, baseline 1.5 and 1.7 (mean 1.6), arm 1.2 and 1.6 (mean 1.4) over seeds 0 and 1.
std::vector<ArmRun> sample() {
  return {run("float", "32", Role::kControl, 0, 1.0), run("rtn", "2", Role::kRounding, 0, 3.0),
          run("ste", "2", Role::kBaseline, 0, 1.5),   run("ste", "2", Role::kBaseline, 1, 1.7),
          run("cage", "2", Role::kArm, 0, 1.2),       run("cage", "2", Role::kArm, 1, 1.6),
          run("broken", "2", Role::kArm, 0, {}),      run("diverged", "2", Role::kArm, 0, NAN)};
}

TEST(Statistics, MeanDeviationAndInterval) {
  const Sample sample = describe({1, 2, 6});  // mean 3, squares 4 + 1 + 9 = 14, over 2
  EXPECT_DOUBLE_EQ(sample.mean, 3);
  EXPECT_DOUBLE_EQ(sample.deviation, std::sqrt(7.0));
  EXPECT_NEAR(sample.half_interval(), 4.303 * std::sqrt(7.0 / 3.0), 1e-12);
  EXPECT_TRUE(std::isnan(describe({1}).deviation));
  EXPECT_TRUE(std::isnan(describe({}).mean));
}

TEST(Statistics, PairsOnlySharedSeeds) {
  EXPECT_THAT(paired_differences({{0, 5}, {1, 7}, {2, 1}}, {{1, 4}, {2, 2}, {3, 0}}), ElementsAre(3, -1));
}

TEST(Comparison, SharesAndPairedDifferences) {
  const Comparison comparison = compare(sample());
  const ArmRow& cage = comparison.rows[3];
  EXPECT_DOUBLE_EQ(cage.loss.mean, 1.4);
  EXPECT_DOUBLE_EQ(cage.recovered, 0.8);  // (3 - 1.4) / (3 - 1)
  EXPECT_EQ(cage.difference.n, 2);
  EXPECT_NEAR(cage.difference.mean, -0.2, 1e-12);                  // of -0.3 and -0.1
  EXPECT_NEAR(cage.difference.deviation, std::sqrt(0.02), 1e-12);  // 0.1^2 + 0.1^2 over 1
  EXPECT_DOUBLE_EQ(comparison.rows[1].recovered, 0);
  EXPECT_NEAR(comparison.rows[2].recovered, 0.7, 1e-12);
  EXPECT_EQ(comparison.rows[2].difference.n, 0);
  EXPECT_TRUE(std::isnan(comparison.rows[0].recovered));
}

TEST(Comparison, NeverHidesAnArm) {
  const Table table = comparison_table(compare(sample()));
  ASSERT_EQ(table.rows.size(), 6u);
  EXPECT_EQ(table.rows[4][0], "broken");
  EXPECT_EQ(table.rows[4][3], "–");
  EXPECT_EQ(table.rows[5][3], "diverged");
  EXPECT_EQ(table.rows[3][6], "-0.2000 ± 0.1414 (n=2)");
  EXPECT_EQ(table.rows[2][6], "baseline");
  EXPECT_THAT(table.notes[0], HasSubstr("broken: seed 0 has no result"));
}

TEST(Comparison, FindingsKeepToWhatTheNoiseAllows) {
  // Two seeds: the 95% interval is 12.706 * 0.1414 / sqrt(2) = 1.27 wide on each side of -0.2.
  const std::vector<std::string> text = findings(compare(sample()));
  ASSERT_EQ(text.size(), 3u);
  EXPECT_EQ(
      text[0],
      "At 2 bits, rounding after training costs 2.0000 nats (3.0000 against 1.0000); ste recovers 70.0% of that.");
  EXPECT_THAT(text[1], HasSubstr("lowest mean loss of the 4 trained arms is cage's: 1.4000 nats, 80.0%"));
  EXPECT_THAT(text[2], HasSubstr("not to be told apart: cage; no result to compare: broken and diverged."));
}

TEST(Comparison, SaysBetterAndWorseBeyondTheInterval) {
  std::vector<ArmRun> runs;
  for (long seed = 0; seed < 3; ++seed) {
    const double noise = 0.1 * static_cast<double>(seed);  // shared by the arms of a seed
    runs.push_back(run("ste", "W4A4", Role::kBaseline, seed, 2 + noise));
    runs.push_back(run("good", "W4A4", Role::kArm, seed, 1.9 + noise + 0.001 * static_cast<double>(seed)));
    runs.push_back(run("bad", "W4A4", Role::kArm, seed, 2.1 + noise));
  }
  EXPECT_THAT(findings(compare(runs))[1], HasSubstr("At W4A4, against ste"));
  EXPECT_THAT(findings(compare(runs))[1], HasSubstr("better: good; worse: bad."));
}

TEST(Comparison, OneNameAtTwoWidthsIsTwoArms) {
  const Comparison comparison =
      compare({run("ste", "1", Role::kBaseline, 0, 2.0), run("ste", "2", Role::kBaseline, 0, 1.0)});
  EXPECT_EQ(comparison.rows[0].label, "ste, 1 bit");
  EXPECT_EQ(comparison.rows[1].label, "ste, 2 bits");
  EXPECT_EQ(comparison.place_of(comparison.runs[1]), 1u);
}

TEST(Comparison, RefusesWhatIsAmbiguous) {
  EXPECT_THROW(compare({run("a", "2", Role::kArm, 0, 1.0), run("a", "2", Role::kArm, 0, 1.1)}), Error);
  EXPECT_THROW(compare({run("a", "2", Role::kArm, 0, 1.0), run("a", "2", Role::kBaseline, 1, 1.1)}), Error);
  EXPECT_THROW(compare({run("a", "2", Role::kBaseline, 0, 1.0), run("b", "2", Role::kBaseline, 0, 1.1)}), Error);
  EXPECT_THROW(compare({run("a", "32", Role::kControl, 0, 1.0), run("b", "16", Role::kControl, 0, 1.1)}), Error);
}

}  // namespace
}  // namespace detent::report
