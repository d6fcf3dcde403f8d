#include "detent/kernels/optimizer/cases.h"
#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

using test::Guarded;
using test::same;
using test::same_output;

DETENT_KERNEL_TEST(Optimizer);

// A parameter row with everything that belongs to it; the second moment is never negative.
struct Row {
  Guarded<float> w, g, m, v, target;

  Row(int64_t n, int offset, bool hostile)
      : w(values(n, 1, hostile, 7), offset),
        g(values(n, 2, hostile, 5), (offset + 3) % 16),
        m(values(n, 3, hostile, 11), (offset + 5) % 16),
        v(values(n, 4, hostile, 13), (offset + 9) % 16),
        target(values(n, 5, hostile, 17), 15 - offset) {
    for (int64_t i = 0; i < n; ++i) v.data()[i] = std::fabs(v.data()[i]);
  }

  static std::vector<float> values(int64_t n, uint64_t seed, bool hostile, int period) {
    std::vector<float> x = gaussian_values(n, seed);
    if (!hostile) return x;
    return with_hostile_values(with_hostile_values(x, finite_extremes(), period), non_finite(), 3 * period);
  }
};

void expect_same_rows(const Row& got, const Row& expected) {
  ASSERT_TRUE(same_output(got.w, expected.w)) << "w";
  ASSERT_TRUE(same_output(got.m, expected.m)) << "m";
  ASSERT_TRUE(same_output(got.v, expected.v)) << "v";
  ASSERT_TRUE(same_output(got.g, expected.g)) << "g is an input";
  ASSERT_TRUE(same_output(got.target, expected.target)) << "target is an input";
}

// Runs step(row) with the kernel and with the reference over every length and alignment.
template <class Step>
void check_rows(Step step) {
  for (int64_t n : case_lengths())
    for (const int offset : case_offsets(n))
      for (bool hostile : {false, true}) {
        SCOPED_TRACE(::testing::Message() << "n " << n << " offset " << offset << " hostile " << hostile);
        Row got(n, offset, hostile), expected(n, offset, hostile);
        step(got, n, false);
        step(expected, n, true);
        expect_same_rows(got, expected);
        if (::testing::Test::HasFatalFailure()) return;
      }
}

TEST_P(Optimizer, Adamw) {
  for (const AdamwCoefficients& c : adamw_cases())
    check_rows([&](Row& r, int64_t n, bool plain) {
      const float* target = c.coupled != 0 ? r.target.data() : nullptr;
      (plain ? reference::adamw_row : adamw_row)(c, r.w.data(), r.g.data(), r.m.data(), r.v.data(), target, n);
    });
}

TEST_P(Optimizer, Sgd) {
  for (const SgdCoefficients& c : sgd_cases())
    check_rows([&](Row& r, int64_t n, bool plain) {
      const float* target = c.coupled != 0 ? r.target.data() : nullptr;
      float* buffer = c.momentum != 0 ? r.m.data() : nullptr;
      (plain ? reference::sgd_row : sgd_row)(c, r.w.data(), r.g.data(), buffer, target, n);
    });
}

TEST_P(Optimizer, Pull) {
  for (float strength : {0.0f, 0.013f, 1.0f})
    check_rows([&](Row& r, int64_t n, bool plain) {
      (plain ? reference::pull_row : pull_row)(r.w.data(), r.target.data(), strength, n);
    });
}

TEST_P(Optimizer, Sums) {
  for (int64_t n : case_lengths())
    for (const int offset : case_offsets(n))
      for (bool hostile : {false, true}) {
        const Row r(n, offset, hostile);
        EXPECT_TRUE(same(dot(r.w.data(), r.g.data(), n), reference::dot(r.w.data(), r.g.data(), n))) << n;
        EXPECT_TRUE(same(sum_squares(r.w.data(), n), reference::sum_squares(r.w.data(), n))) << n;
      }
}

// The formulas once more, in double and in the papers' letters: binds the reference itself.
TEST(OptimizerFormula, AdamwOverFiftySteps) {
  const double lr = 1e-2, decay = 0.1, beta1 = 0.9, beta2 = 0.99, lambda = 0.3;
  const double epsilon = 1e-2;  // large enough to show
  const std::vector<float> target = gaussian_values(32, 9);
  std::vector<float> w = gaussian_values(32, 8), m(32), v(32);
  std::vector<double> w2(w.begin(), w.end()), m2(32), v2(32);
  for (int t = 1; t <= 50; ++t) {
    const std::vector<float> g = gaussian_values(32, 100 + static_cast<uint64_t>(t));
    const double bias1 = 1 - std::pow(beta1, t), bias2 = 1 - std::pow(beta2, t);
    AdamwCoefficients c = adamw_coefficients(lr, decay, beta1, beta2, epsilon, t);
    c.gradient_scale = 0.5f;
    c.coupled = static_cast<float>(lambda);
    adamw_row(c, w.data(), g.data(), m.data(), v.data(), target.data(), 32);
    for (size_t i = 0; i < 32; ++i) {
      const double gradient = 0.5 * g[i] + lambda * (w2[i] - target[i]);
      m2[i] = beta1 * m2[i] + (1 - beta1) * gradient;
      v2[i] = beta2 * v2[i] + (1 - beta2) * gradient * gradient;
      w2[i] -= lr * decay * w2[i] + lr * (m2[i] / bias1) / (std::sqrt(v2[i] / bias2) + epsilon);
    }
  }
  for (size_t i = 0; i < 32; ++i) EXPECT_NEAR(w[i], w2[i], 2e-6);
}

TEST(OptimizerFormula, SgdWithMomentumOverFiftySteps) {
  const std::vector<float> target = gaussian_values(32, 9);
  for (bool nesterov : {false, true}) {
    std::vector<float> w = gaussian_values(32, 8), b(32);
    std::vector<double> w2(w.begin(), w.end()), b2(32);
    for (int t = 1; t <= 50; ++t) {
      const std::vector<float> g = gaussian_values(32, 100 + static_cast<uint64_t>(t));
      sgd_row({0.01f, 0.9f, 0.1f, 0.5f, nesterov, t == 1, 0.3f}, w.data(), g.data(), b.data(), target.data(), 32);
      for (size_t i = 0; i < 32; ++i) {
        const double gradient = 0.5 * g[i] + 0.1 * w2[i] + 0.3 * (w2[i] - target[i]);
        b2[i] = 0.9 * b2[i] + gradient;  // from zero, so that the first step is the gradient
        w2[i] -= 0.01 * (nesterov ? gradient + 0.9 * b2[i] : b2[i]);
      }
    }
    for (size_t i = 0; i < 32; ++i) EXPECT_NEAR(w[i], w2[i], 2e-6);
  }
}

TEST(OptimizerFormula, SumsAgreeWithLongDouble) {
  const std::vector<float> a = gaussian_values(100003, 1), b = gaussian_values(100003, 2);
  long double product = 0, squares = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    product += static_cast<long double>(a[i]) * b[i];
    squares += static_cast<long double>(a[i]) * a[i];
  }
  EXPECT_NEAR(dot(a.data(), b.data(), 100003), static_cast<double>(product), 1e-10);
  EXPECT_NEAR(sum_squares(a.data(), 100003) / static_cast<double>(squares), 1, 1e-14);
}

}  // namespace
}  // namespace detent::kernels
