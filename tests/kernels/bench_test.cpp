#include "detent/kernels/harness/bench.h"

#include <gtest/gtest.h>

namespace detent::kernels {
namespace {

TEST(Bench, EveryRowIsFilled) {
  const std::vector<BenchRow> rows = bench_kernels(true, {64, 512});
  EXPECT_GE(rows.size(), 12u);
  for (const BenchRow& row : rows) {
    EXPECT_FALSE(row.name.empty());
    EXPECT_EQ(row.shape, "64x512");
    EXPECT_EQ(row.threads, 1);
    EXPECT_GT(row.seconds, 0) << row.name;
    EXPECT_GT(row.copies, 0) << row.name;
    EXPECT_GT(row.gb_per_s, 0) << row.name;
    EXPECT_EQ(row.baseline, "reference");
    EXPECT_GT(row.ratio, 0) << row.name;
  }
}

TEST(Dispatch, AForcedTargetIsInUseUntilReleased) {
  const std::string best = dispatch_target();
  EXPECT_EQ(best, dispatch_targets().front().name);
  for (const DispatchTarget& target : dispatch_targets()) {
    const ForceTarget force(target);
    EXPECT_EQ(dispatch_target(), target.name);
  }
  EXPECT_EQ(dispatch_target(), best);
}

}  // namespace
}  // namespace detent::kernels
