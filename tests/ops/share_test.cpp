// Shared work: every index once, in pieces as they were asked for, by any number of threads.
#include "detent/ops/share.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace detent::ops {
namespace {

class Share : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { at::set_num_threads(GetParam()); }
  void TearDown() override { at::set_num_threads(before_); }
  int before_ = at::get_num_threads();
};

TEST_P(Share, EveryIndexOnceInPiecesOfWholeGrains) {
  for (int64_t count : {0, 1, 7, 24, 25, 100, 1000, 4097})
    for (int64_t grain : {1, 5, 24, 5000}) {
      std::mutex mutex;
      std::vector<int> times(static_cast<size_t>(count));
      int64_t calls = 0;
      share(count, grain, [&](int64_t first, int64_t last) {
        const std::lock_guard lock(mutex);
        ++calls;
        EXPECT_EQ(first % grain, 0);
        EXPECT_LT(first, last);
        EXPECT_TRUE(last - first >= grain || last == count);
        for (int64_t i = first; i < last; ++i) ++times.at(static_cast<size_t>(i));
      });
      EXPECT_EQ(times, std::vector<int>(static_cast<size_t>(count), 1));
      const int64_t grains = (count + grain - 1) / grain;
      if (GetParam() == 1)
        EXPECT_EQ(calls, count > 0);
      else
        EXPECT_GE(calls, std::min<int64_t>(grains, GetParam()));
    }
}

TEST_P(Share, IsOneCallWithinAnother) {
  std::atomic<int> inner = 0;
  share(4, 1, [&](int64_t, int64_t) {
    if (!at::in_parallel_region()) return;  // one thread
    int calls = 0;
    share(100, 1, [&](int64_t first, int64_t last) {
      ++calls;
      EXPECT_EQ(last - first, 100);
    });
    EXPECT_EQ(calls, 1);
    inner += calls;
  });
  EXPECT_EQ(inner > 0, GetParam() > 1);
}

TEST_P(Share, PassesOnWhatIsThrown) {
  EXPECT_THROW(share(100, 1,
                     [](int64_t first, int64_t) {
                       if (first == 0) throw std::runtime_error("x");
                     }),
               std::runtime_error);
}

INSTANTIATE_TEST_SUITE_P(Threads, Share, testing::Values(1, 2, 5));

}  // namespace
}  // namespace detent::ops
