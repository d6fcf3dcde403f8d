// Sums of exponentials: bit-equal to the reference on every instruction set, near the exact sum, and NaN where the
// softmax is.
#include "detent/kernels/log_sum_exp/log_sum_exp.h"

#include "detent/kernels/harness/inputs.h"
#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

using test::Guarded;
using test::same;

DETENT_KERNEL_TEST(LogSumExp);

constexpr float kInfinity = std::numeric_limits<float>::infinity();

void check(const std::vector<float>& x, int offset) {
  const Guarded<float> in(x, offset);
  const auto n = static_cast<int64_t>(x.size());
  const ExpSum got = exp_sum(in.data(), n), expected = reference::exp_sum(in.data(), n);
  ASSERT_TRUE(same(got.largest, expected.largest)) << got.largest << " " << expected.largest;
  ASSERT_TRUE(same(got.sum, expected.sum)) << got.sum << " " << expected.sum;
}

TEST_P(LogSumExp, EqualsItsReference) {
  for (const int64_t n : case_lengths())
    for (const int offset : case_offsets(n)) {
      if (n == 0) continue;
      SCOPED_TRACE(::testing::Message() << n << " offset " << offset);
      const std::vector<float> x = gaussian_values(n, 1, 5);
      check(x, offset);
      check(std::vector<float>(x.size(), -0.0f), offset);
      check(with_hostile_values(std::vector<float>(x.size(), -0.0f), {0.0f, -0.0f}, 3), offset);
      check(with_hostile_values(x, finite_extremes(), 5), offset);
      check(with_hostile_values(x, non_finite(), 7), offset);
      check(with_hostile_values(x, {-kInfinity}, 2), offset);
      if (HasFatalFailure()) return;
    }
}

// Against the sum in long double, each term with the error that it may have.
TEST_P(LogSumExp, IsNearTheExactSum) {
  std::vector<std::vector<float>> inputs;
  for (const float spread : {0.01f, 1.0f, 10.0f, 40.0f}) inputs.push_back(gaussian_values(5000, 2, spread));
  for (const float below : {9.00001f, 70.03f}) {  // all errors to the same side
    inputs.emplace_back(5000, -below);
    inputs.back()[7] = 0.1f;
  }
  for (const std::vector<float>& x : inputs) {
    const ExpSum got = exp_sum(x.data(), 5000);
    EXPECT_EQ(got.largest, *std::max_element(x.begin(), x.end()));
    long double sum = 0, error = 0;
    for (const float v : x) {
      const long double difference = static_cast<long double>(v) - got.largest, term = std::exp(difference);
      sum += term;
      error += term * (4 - difference) * 0x1p-24L;
    }
    EXPECT_NEAR(got.sum, static_cast<double>(sum), static_cast<double>(error)) << x[0];
  }
}

// Each part by itself matters, the largest of them and one of a single element.
TEST_P(LogSumExp, PartsMakeTheWhole) {
  std::vector<float> x = gaussian_values(1000, 3, 1);
  x[300] = 6;
  for (size_t i = 301; i < 900; ++i) x[i] -= 3;
  std::vector<ExpSum> parts;
  long double sum = 0;
  for (const auto& [first, end] : {std::pair{0, 300}, {300, 301}, {301, 900}, {900, 1000}})
    parts.push_back(exp_sum(x.data() + first, end - first));
  for (const float v : x) sum += std::exp(static_cast<long double>(v));
  EXPECT_NEAR(log_sum_exp(parts.data(), 4), static_cast<double>(std::log(sum)), 1e-6);
  const ExpSum alone = exp_sum(x.data() + 300, 1);
  EXPECT_EQ(alone.largest, 6);
  EXPECT_EQ(alone.sum, 1);
  EXPECT_EQ(log_sum_exp(&alone, 1), 6);
}

// A softmax over x holds a NaN exactly then.
TEST_P(LogSumExp, NaNWhereTheSoftmaxIs) {
  for (size_t position = 0; position < 40; ++position)
    for (const float hostile : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
      std::vector<float> x = gaussian_values(40, 4);
      x[position] = hostile;
      const ExpSum parts[] = {exp_sum(x.data(), 17), exp_sum(x.data() + 17, 23)};
      EXPECT_EQ(std::isnan(exp_sum(x.data(), 40).sum), hostile != -kInfinity) << hostile << " at " << position;
      EXPECT_EQ(std::isnan(log_sum_exp(parts, 2)), hostile != -kInfinity) << hostile << " at " << position;
    }
}

// -Inf is a probability of 0: beside finite elements it counts nothing, and alone it has no softmax.
TEST_P(LogSumExp, PartsOfNothing) {
  const std::vector<float> all(40, -kInfinity), x = gaussian_values(40, 5);
  const ExpSum nothing = exp_sum(all.data(), 40), some = exp_sum(x.data(), 40);
  EXPECT_EQ(nothing.sum, 0);
  const ExpSum before[] = {nothing, some}, behind[] = {some, nothing}, none[] = {nothing, nothing};
  EXPECT_EQ(log_sum_exp(before, 2), log_sum_exp(&some, 1));
  EXPECT_EQ(log_sum_exp(behind, 2), log_sum_exp(&some, 1));
  EXPECT_TRUE(std::isnan(log_sum_exp(none, 2)));
}

}  // namespace
}  // namespace detent::kernels
