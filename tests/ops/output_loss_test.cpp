// The loss of an output layer without its logits, against cross-entropy in float64 over those of the plain product.
#include "detent/ops/output_loss.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include "detent/base/error.h"
#include "detent/ops/product.h"

namespace detent::ops {
namespace {

struct Case {
  at::Tensor states, weight, targets;
  Case(int64_t rows, int64_t in, int64_t vocab, double spread = 1)
      : states(at::randn({rows, in}) * spread),
        weight(at::randn({vocab, in})),
        targets(at::randint(0, vocab, {rows}, at::kLong)) {
    targets[0] = 0;
    targets[rows - 1] = vocab - 1;
  }
  // Of the very logits that linear() makes.
  at::Tensor exact() const {
    return at::cross_entropy_loss(ops::linear(states, weight).to(at::kDouble), targets, {}, at::Reduction::None);
  }
};

// Around blocks of 768 and of 64 and 512 rows, and few rows, which take the other way.
TEST(OutputLosses, AreTheCrossEntropies) {
  at::manual_seed(1);
  for (const auto& [rows, in, vocab] : std::vector<std::array<int64_t, 3>>{{1, 8, 5},
                                                                           {15, 8, 900},
                                                                           {16, 1, 1},
                                                                           {17, 33, 767},
                                                                           {64, 20, 768},
                                                                           {65, 20, 769},
                                                                           {130, 40, 300},
                                                                           {513, 9, 1537},
                                                                           {600, 576, 2000}})
    for (const double spread : {0.1, 3.0}) {
      const Case c(rows, in, vocab, spread);
      const at::Tensor got = output_losses(c.states, c.weight, c.targets), exact = c.exact();
      ASSERT_EQ(got.sizes(), exact.sizes());
      const at::Tensor error = (got.to(at::kDouble) - exact).abs();
      EXPECT_TRUE(error.le(exact.abs() * 0x1p-23 + 1e-6).all().item<bool>())
          << rows << " x " << in << " x " << vocab << ": " << error.max().item<double>();
    }
}

// More rows than are taken at a time, so many that the last part of equal ones would be one row.
TEST(OutputLosses, ManyRowsAreTheSameAsFew) {
  at::manual_seed(6);
  const Case c(4097, 8, 300);
  const at::Tensor whole = output_losses(c.states, c.weight, c.targets);
  EXPECT_LT((whole.to(at::kDouble) - c.exact()).abs().max().item<double>(), 1e-5);
  if (!has_product(c.states, c.weight)) GTEST_SKIP() << "no fused multiply-add here";
  EXPECT_TRUE(at::equal(output_losses(c.states.narrow(0, 4077, 20), c.weight, c.targets.narrow(0, 4077, 20)),
                        whole.narrow(0, 4077, 20)));
}

// Where no product is ours, in float64 here: some rows at a time.
TEST(OutputLosses, WholeLogitsInParts) {
  at::manual_seed(7);
  const Case c(50, 8, 300);
  const at::Tensor states = c.states.to(at::kDouble), weight = c.weight.to(at::kDouble);
  const at::Tensor expected = at::cross_entropy_loss(states.mm(weight.t()), c.targets, {}, at::Reduction::None);
  for (const int64_t at_a_time : {1, 7, 50, 1000})
    EXPECT_TRUE(at::allclose(output_losses(states, weight, c.targets, at_a_time), expected)) << at_a_time;
}

TEST(OutputLosses, DoNotDependOnThreadsOrNeighbours) {
  at::manual_seed(2);
  const Case c(600, 40, 2000);
  if (!has_product(c.states, c.weight)) GTEST_SKIP() << "no fused multiply-add here";
  const int threads = at::get_num_threads();
  const at::Tensor whole = output_losses(c.states, c.weight, c.targets);
  for (const int n : {1, 2, 3, 5}) {
    at::set_num_threads(n);
    EXPECT_TRUE(at::equal(output_losses(c.states, c.weight, c.targets), whole)) << n;
  }
  at::set_num_threads(threads);
  const at::Tensor part = output_losses(c.states.narrow(0, 100, 70), c.weight, c.targets.narrow(0, 100, 70));
  EXPECT_TRUE(at::equal(part, whole.narrow(0, 100, 70)));
  const at::Tensor transposed = c.weight.t().contiguous().t();
  EXPECT_TRUE(at::equal(output_losses(c.states, transposed, c.targets), whole));
}

// As the softmax over whole logits: one NaN or +Inf spoils its row and no other.
TEST(OutputLosses, NonFiniteLogitsSpoilTheirRow) {
  at::manual_seed(3);
  Case c(40, 8, 1600);
  c.states[7][3] = std::numeric_limits<float>::quiet_NaN();
  c.states[20].fill_(3e38f);
  c.weight.index_put_({at::tensor({1, 900})}, at::full({8}, 1e3f));
  const at::Tensor got = output_losses(c.states, c.weight, c.targets),
                   expected =
                       at::cross_entropy_loss(ops::linear(c.states, c.weight), c.targets, {}, at::Reduction::None);
  EXPECT_TRUE(at::equal(got.isnan(), expected.isnan()));
  EXPECT_EQ(got.isnan().sum().item<int64_t>(), 2);
}

// A last block of one logit, which overflows to -Inf: no other way to say that its probability is 0.
TEST(OutputLosses, ABlockOfNothingSpoilsNoRow) {
  at::manual_seed(5);
  Case c(40, 8, 769);
  c.states.abs_();
  c.weight[768].fill_(-std::numeric_limits<float>::max());
  c.states.narrow(0, 0, 20).select(1, 0).fill_(3);
  c.targets.fill_(1);
  const at::Tensor got = output_losses(c.states, c.weight, c.targets);
  EXPECT_TRUE(ops::linear(c.states, c.weight).narrow(1, 768, 1).narrow(0, 0, 20).isinf().all().item<bool>());
  EXPECT_TRUE(got.isfinite().all().item<bool>());
  EXPECT_LT((got.to(at::kDouble) - c.exact()).abs().max().item<double>(), 1e-5);
}

TEST(OutputLosses, WhatDoesNotFitIsRefused) {
  at::manual_seed(4);
  const Case c(20, 8, 30);
  const auto error = [](const at::Tensor& states, const at::Tensor& weight, const at::Tensor& targets) {
    try {
      output_losses(states, weight, targets);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_THAT(error(c.states, c.weight, at::full({20}, 30, at::kLong)), testing::HasSubstr("outside of [0, 30)"));
  EXPECT_THAT(error(c.states, c.weight, at::full({20}, -1, at::kLong)), testing::HasSubstr("outside of [0, 30)"));
  for (const int64_t bad : {-100, -1, 30})  // few rows, which go another way
    EXPECT_THAT(error(c.states.narrow(0, 0, 5), c.weight, at::full({5}, bad, at::kLong)),
                testing::HasSubstr("outside of [0, 30)"));
  EXPECT_THAT(error(c.states, c.weight, c.targets.narrow(0, 0, 19)), testing::HasSubstr("19 targets"));
  EXPECT_THAT(error(c.states.narrow(1, 0, 7), c.weight, c.targets), testing::HasSubstr("20x7"));
}

}  // namespace
}  // namespace detent::ops
