// The operators' own promises: work is spread over the threads, and shapes that do not fit are refused.
#include "detent/ops/fake_quant.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
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
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto seen = [&] {
    const std::lock_guard guard(lock);
    return threads.size();
  };
  ops::for_rows(64, 2048, [&](int64_t first, int64_t last) {
    rows += last - first;
    {
      const std::lock_guard guard(lock);
      threads.insert(std::this_thread::get_id());
    }
    // Threads take pieces as they go: the first ones wait for the last.
    while (seen() < 3 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  });
  at::set_num_threads(before);
  EXPECT_EQ(threads.size(), 3u);
  EXPECT_EQ(rows, 64);
}

// By definition: a bit is set where the surrogate's interval holds x/d. Scales are powers of two, so x/d is exact; most
// of these groups begin inside a byte of bits.
TEST(FakeQuant, MaskBitsOfGroupsOfAnyLength) {
  constexpr int64_t kRows = 3, kColumns = 60;
  const kernels::Surrogate surrogate{-1.5f, 2.5f};
  at::Tensor x = at::empty({kRows, kColumns}), expected = at::empty({kRows, kColumns});
  for (const int64_t group : {1, 3, 4, 10, 12, 20, 30, 60}) {
    const QuantSpec spec{make_grid("int", 4), {GranularityKind::kGroup, group}};
    const at::Tensor scales = at::empty({kRows, kColumns / group});
    for (int64_t i = 0; i < scales.numel(); ++i)
      scales.data_ptr<float>()[i] = std::ldexp(1.0f, static_cast<int>(i % 5));
    for (int64_t i = 0; i < x.numel(); ++i) {
      const float u = static_cast<float>(i * 7 % 23) / 2 - 5;  // from -5 to 6 in halves
      x.data_ptr<float>()[i] = u * scales.const_data_ptr<float>()[i / group];
      expected.data_ptr<float>()[i] = u >= -1.5f && u <= 2.5f ? 1.0f : 0.0f;
    }
    const auto result = ops::fake_quant(x, scales, spec, surrogate, {.mask = true});
    EXPECT_TRUE(at::equal(ops::masked_backward(at::ones_like(x), result.mask, spec), expected)) << group;
  }
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

// Outputs of many megabytes are written past the caches: the same bits as part by part.
TEST(FakeQuant, LargeOutputsAreThoseOfTheirParts) {
  at::manual_seed(5);
  const at::Tensor x = at::randn({1200, 2048}), g = at::randn({1200, 2048});  // 9.8 MB
  const auto parts = [](const at::Tensor& t) { return t.chunk(3); };
  const auto joined = [&](const auto& op) {
    std::vector<at::Tensor> made;
    for (size_t i = 0; i < 3; ++i) made.push_back(op(parts(x)[i], parts(g)[i]));
    return at::cat(made);
  };
  for (const Rotation rotation : {Rotation::kNone, Rotation::kHadamardHalf, Rotation::kHadamard}) {
    QuantSpec spec{make_grid("midrise", 4), parse_granularity("32"), ScaleRule::kRms};
    spec.rotation = rotation;
    const kernels::Surrogate surrogate{-7.5f, 7.5f};
    const auto value = [&](const at::Tensor& some, const at::Tensor&) {
      return ops::fake_quant(some, {}, spec, surrogate, {}).value;
    };
    const auto backward = [&](const at::Tensor& some, const at::Tensor& theirs) {
      return ops::masked_backward(theirs, ops::fake_quant(some, {}, spec, surrogate, {.mask = true}).mask, spec);
    };
    const auto rotated = [](const at::Tensor& some, const at::Tensor&) { return ops::hadamard(some); };
    EXPECT_TRUE(value(x, g).equal(joined(value)));
    EXPECT_TRUE(backward(x, g).equal(joined(backward)));
    EXPECT_TRUE(rotated(x, g).equal(joined(rotated)));
  }
}

}  // namespace
}  // namespace detent
