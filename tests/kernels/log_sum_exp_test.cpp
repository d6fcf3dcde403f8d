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

// Against the sum in long double.
TEST_P(LogSumExp, IsNearTheExactSum) {
  for (const float spread : {0.01f, 1.0f, 10.0f, 40.0f}) {
    const std::vector<float> x = gaussian_values(5000, 2, spread);
    const ExpSum got = exp_sum(x.data(), 5000);
    EXPECT_EQ(got.largest, *std::max_element(x.begin(), x.end()));
    long double sum = 0;
    for (const float v : x) sum += std::exp(static_cast<long double>(v) - got.largest);
    EXPECT_NEAR(got.sum, static_cast<double>(sum), 4e-7 * static_cast<double>(sum)) << spread;
  }
}

TEST_P(LogSumExp, PartsMakeTheWhole) {
  const std::vector<float> x = gaussian_values(1000, 3, 20);
  std::vector<ExpSum> parts;
  for (int64_t first : {0, 300, 301, 900}) {
    const int64_t end = first == 0 ? 300 : first == 300 ? 301 : first == 301 ? 900 : 1000;
    parts.push_back(exp_sum(x.data() + first, end - first));
  }
  long double sum = 0;
  for (const float v : x) sum += std::exp(static_cast<long double>(v));
  EXPECT_NEAR(log_sum_exp(parts.data(), 4), static_cast<double>(std::log(sum)), 1e-6);
}

// A softmax over x holds a NaN exactly then.
TEST_P(LogSumExp, NaNWhereTheSoftmaxIs) {
  for (size_t position = 0; position < 40; ++position)
    for (const float hostile : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
      std::vector<float> x = gaussian_values(40, 4);
      x[position] = hostile;
      EXPECT_EQ(std::isnan(exp_sum(x.data(), 40).sum), hostile != -kInfinity) << hostile << " at " << position;
    }
  const std::vector<float> all(40, -kInfinity);
  EXPECT_TRUE(std::isnan(exp_sum(all.data(), 40).sum));
}

}  // namespace
}  // namespace detent::kernels
