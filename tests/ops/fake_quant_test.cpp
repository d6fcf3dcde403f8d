// The operators' own promises: work is spread over the threads.
#include "detent/ops/fake_quant.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

namespace detent {
namespace {

// LibTorch's parallel_for is serial, without a word, in programs that are compiled without OpenMP.
TEST(ForRows, UsesEveryThread) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  std::mutex lock;
  std::set<std::thread::id> threads;
  std::atomic<int64_t> rows = 0;
  ops::for_rows(64, 2048, [&](int64_t first, int64_t last) {
    const std::lock_guard guard(lock);
    threads.insert(std::this_thread::get_id());
    rows += last - first;
  });
  at::set_num_threads(before);
  EXPECT_EQ(threads.size(), 3u);
  EXPECT_EQ(rows, 64);
}

}  // namespace
}  // namespace detent
