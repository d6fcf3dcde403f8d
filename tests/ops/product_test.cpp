// Products of floats against ATen's: values, gradients, views, thread counts.
#include "detent/ops/product.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "tests/support/bits.h"

namespace detent::ops {
namespace {

void expect_close(const at::Tensor& got, const at::Tensor& expected) {
  ASSERT_EQ(got.sizes(), expected.sizes());
  ASSERT_EQ(got.scalar_type(), expected.scalar_type());
  EXPECT_LT((got - expected).abs().max().item<double>(), 5e-6 * (1 + expected.abs().max().item<double>()));
}

at::Tensor normal(at::IntArrayRef shape, at::ScalarType type = at::kFloat) { return at::randn(shape, type); }

TEST(Product, OfMatricesViewsAndTransposes) {
  at::manual_seed(1);
  for (const auto& [rows, depth, columns] : {std::array<int64_t, 3>{1, 64, 64},
                                             {16, 1, 5},
                                             {40, 300, 70},
                                             {200, 64, 1},
                                             {17, 0, 3},
                                             {64, 64, 64},
                                             {40, 600, 90}}) {
    const at::Tensor a = normal({rows, depth}), b = normal({depth, columns});
    const at::Tensor right = at::mm(a.to(at::kDouble), b.to(at::kDouble)).to(at::kFloat);
    const at::Tensor turned_a = a.t().contiguous().t(), turned_b = b.t().contiguous().t();
    const at::Tensor sparse_b = at::stack({b, b}, 2).select(2, 0);  // no stride is 1
    for (const at::Tensor& left : {a, turned_a})
      for (const at::Tensor& other : {b, turned_b, sparse_b}) {
        const at::Tensor got = product(left, other);
        ASSERT_EQ(got.sizes(), right.sizes());
        if (got.numel() > 0) expect_close(got, right);
      }
  }
}

TEST(Product, RefusesSizesThatDoNotMeet) {
  for (int64_t rows : {1, 64}) {
    const at::Tensor x = normal({rows, 8});
    EXPECT_ANY_THROW(product(x, normal({9, 4}))) << rows;
    EXPECT_ANY_THROW(product(x, normal({8}))) << rows;
    EXPECT_ANY_THROW(ops::linear(x, normal({4, 7}))) << rows;
    EXPECT_ANY_THROW(ops::linear(x, normal({4, 8}), normal({1}))) << rows;
  }
}

TEST(Product, HasTheSameBitsOnAnyNumberOfThreads) {
  at::manual_seed(2);
  const int before = at::get_num_threads();
  for (const auto& [rows, depth, columns] : {std::array<int64_t, 3>{500, 300, 130},
                                             {64, 600, 900},
                                             {100, 100, 100},
                                             {500, 1700, 900},
                                             {20, 1700, 900},
                                             {90, 800, 64}}) {
    const at::Tensor a = normal({rows, depth}), b = normal({depth, columns});
    at::set_num_threads(1);
    const at::Tensor alone = product(a, b);
    for (int threads : {2, 3, 6}) {
      at::set_num_threads(threads);
      EXPECT_TRUE(at::equal(product(a, b), alone)) << threads << " threads";
    }
  }
  at::set_num_threads(before);
}

// A product of few rows is turned, its rows alone must not show it: they are those of a product of many.
TEST(Product, OfFewRowsHasTheBitsOfMany) {
  at::manual_seed(6);
  for (const auto& [depth, columns] : {std::array<int64_t, 2>{512, 200}, {700, 77}, {1700, 900}}) {
    const at::Tensor many = normal({300, depth}), weight = normal({columns, depth});
    many[3][5] = INFINITY;
    many[7][1] = NAN;
    weight[2][9] = -INFINITY;
    weight[4][8] = -0.0f;
    const at::Tensor of_many = product(many, weight.t());
    for (const int64_t rows : {16, 17, 31, 48, 65, 100, 128, 129})
      EXPECT_TRUE(test::same_bits(product(many.narrow(0, 0, rows), weight.t()), of_many.narrow(0, 0, rows)))
          << rows << " of " << depth << " by " << columns;
  }
}

TEST(Product, LinearHasATensGradients) {
  at::manual_seed(3);
  for (const at::ScalarType type : {at::kFloat, at::kDouble})
    for (const bool biased : {false, true}) {
      const auto leaf = [&](at::IntArrayRef shape) { return normal(shape, type).set_requires_grad(true); };
      const at::Tensor x = leaf({3, 9, 40}), w = leaf({70, 40}), bias = biased ? leaf({70}) : at::Tensor();
      const at::Tensor weights = normal({3, 9, 70}, type);
      const auto run = [&](bool ours) {
        for (const at::Tensor& input : {x, w, bias})
          if (input.defined()) input.mutable_grad() = at::Tensor();
        const at::Tensor y = ours ? ops::linear(x, w, bias) : at::linear(x, w, bias);
        y.mul(weights).sum().backward();
        std::vector<at::Tensor> all = {y.detach(), x.grad().clone(), w.grad().clone()};
        if (biased) all.push_back(bias.grad().clone());
        return all;
      };
      const std::vector<at::Tensor> got = run(true), expected = run(false);
      for (size_t i = 0; i < got.size(); ++i) expect_close(got[i], expected[i]);
    }
}

TEST(Product, LinearGivesNoGradientWhereNoneIsWanted) {
  const at::Tensor x = normal({32, 8}), w = normal({4, 8}).set_requires_grad(true);
  ops::linear(x, w).sum().backward();
  EXPECT_TRUE(w.grad().defined());
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(ops::linear(x, w.detach()).requires_grad());
}

}  // namespace
}  // namespace detent::ops
