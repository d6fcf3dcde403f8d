// The operators' own promises: work is spread over the threads, and shapes that do not fit are refused.
#include "detent/ops/fake_quant.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "tests/io/support.h"

namespace detent {
namespace {

using io::test::error_of;
using testing::HasSubstr;

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

TEST(FakeQuant, ShapesThatDoNotFitAreRefused) {
  const QuantSpec grouped{make_grid("int", 4), parse_granularity("32")},
      whole{make_grid("int", 4), parse_granularity("tensor")};
  const auto error = [](const at::Tensor& x, const QuantSpec& spec, const at::Tensor& scales) {
    return error_of([&] { ops::fake_quant(x, scales, spec, ops::pass_through(), {}); });
  };
  EXPECT_THAT(error(at::ones({2, 40}), grouped, {}), HasSubstr("multiple of the group of 32"));
  EXPECT_THAT(error(at::ones({0, 64}), whole, {}), HasSubstr("empty"));
  EXPECT_THAT(error(at::ones({2, 0}), grouped, {}), HasSubstr("empty"));
  EXPECT_THAT(error(at::ones({2, 64}), grouped, at::ones({2, 1})), HasSubstr("got 2 scales, expected 4"));
  EXPECT_THAT(error(at::ones({2, 64}, at::kDouble), grouped, {}), HasSubstr("float32"));
  EXPECT_THAT(error(at::ones({64, 2}).t(), grouped, {}), HasSubstr("strided"));
}

}  // namespace
}  // namespace detent
