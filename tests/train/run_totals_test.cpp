// What a run counts, with times given instead of taken.
#include "detent/train/run_totals.h"

#include <gtest/gtest.h>

namespace detent {
namespace {

constexpr double kLeast = 0.5;  // seconds that a step could take

TEST(RunTotals, ALineHoldsTheStepsSinceTheOneBefore) {
  RunTotals totals;
  totals.step = 2;
  totals.loss = 1.25;
  totals.add_tokens(600);
  totals.add_step(1.0);
  totals.add_step(3.0);
  nlohmann::json line = totals.step_line(0.1, 7, kLeast);
  EXPECT_EQ(line["kind"], "train");
  EXPECT_EQ(line["step"], 2);
  EXPECT_EQ(line["loss"], 1.25);
  EXPECT_EQ(line["lr"], 0.1);
  EXPECT_EQ(line["grad_norm"], 7);
  EXPECT_EQ(line["tokens"], 600);
  EXPECT_EQ(line["seconds"], 4);
  EXPECT_EQ(line["tokens_per_second"], 150);
  EXPECT_EQ(line["speed_of_light"], 0.25);  // 2 steps of 0.5 s in 4 s
  totals.add_step(0.5);
  line = totals.step_line(0.1, 7, kLeast);
  EXPECT_EQ(line["speed_of_light"], 1);  // of the last step alone
  EXPECT_EQ(line["seconds"], 4.5);
  EXPECT_EQ(totals.speed_of_light(kLeast), 1.5 / 4.5);
}

TEST(RunTotals, GoOnFromACheckpointButTheShareIsOfThisProcess) {
  RunTotals before;
  before.step = 10;
  before.loss = 2;
  before.add_tokens(100);
  before.add_step(4);
  TrainState state;
  before.put_into(state);
  RunTotals totals;
  totals.restore(state);
  EXPECT_EQ(totals.step, 10);
  EXPECT_EQ(totals.loss, 2);
  EXPECT_EQ(totals.seconds(), 4);
  EXPECT_EQ(totals.tokens_per_second(), 25);
  const nlohmann::json line = totals.end_line({}, kLeast);
  EXPECT_EQ(line["kind"], "final");
  EXPECT_EQ(line["steps"], 10);
  EXPECT_FALSE(line.contains("speed_of_light"));  // it took no step
  totals.add_step(2);
  EXPECT_EQ(totals.end_line({}, kLeast)["speed_of_light"], 0.25);
}

}  // namespace
}  // namespace detent
