#include "detent/kernels/noise/cases.h"

#include <numbers>

#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

using test::Guarded;
using test::same_output;
using test::same_values;

// Known answers published with the Random123 library.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (PhiloxBlock{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (PhiloxBlock{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}));
  EXPECT_EQ(philox4x32({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, {0xa4093822u, 0x299f31d0u}),
            (PhiloxBlock{0xd16cfe09u, 0x94fdcceb, 0x5001e420u, 0x24126ea1u}));
}

DETENT_KERNEL_TEST(Noise);

TEST_P(Noise, EqualsTheReference) {
  const RandomStream stream{0x123456789abcdef0u, 77, 5};
  for (uint64_t first : noise_starts())
    for (int64_t n : case_lengths()) {
      const int offset = static_cast<int>((first + static_cast<uint64_t>(n)) % 16);
      const std::vector<float> x = with_hostile_values(gaussian_values(n, 6), finite_extremes(), 4);
      Guarded<float> in(x, offset), out(n, 15 - offset), expected(n, offset);
      reference::add_gaussian(in.data(), expected.data(), n, 0.3f, stream, first);
      add_gaussian(in.data(), out.data(), n, 0.3f, stream, first);
      add_gaussian(in.data(), in.data(), n, 0.3f, stream, first);
      ASSERT_TRUE(same_output(out, expected)) << "first " << first << " n " << n;
      ASSERT_TRUE(same_output(in, expected)) << "in place, first " << first << " n " << n;
    }
}

std::vector<float> draws(int64_t n, const RandomStream& stream, uint64_t first = 0) {
  std::vector<float> z(static_cast<size_t>(n));
  add_gaussian(z.data(), z.data(), n, 1, stream, first);
  return z;
}

TEST_P(Noise, DoesNotDependOnChunks) {
  const RandomStream stream{1, 2, 3};
  const std::vector<float> whole = draws(1000, stream, 6);
  for (int64_t chunk : {1, 2, 3, 5, 7, 16, 31, 32, 64, 333}) {
    std::vector<float> parts(1000);
    for (int64_t i = 0; i < 1000; i += chunk)
      add_gaussian(&parts[static_cast<size_t>(i)], &parts[static_cast<size_t>(i)], std::min(chunk, 1000 - i), 1, stream,
                   6 + static_cast<uint64_t>(i));
    EXPECT_TRUE(same_values(parts, whole)) << chunk;
  }
}

TEST_P(Noise, OtherStreamsAreOtherNumbers) {
  const std::vector<float> z = draws(64, {1, 2, 3});
  for (const RandomStream& other : {RandomStream{2, 2, 3}, RandomStream{1, 3, 3}, RandomStream{1, 2, 4}})
    for (size_t i = 0; i < 64; ++i) EXPECT_NE(draws(64, other)[i], z[i]);
}

// Box-Muller in double from the same words; the uniform number is the float that the definition makes of its word.
TEST_P(Noise, IsAccurate) {
  const RandomStream stream{11, 12, 13};
  const int64_t n = 1 << 20;
  const std::vector<float> z = draws(n, stream);
  double worst = 0;
  for (int64_t i = 0; i < n; ++i) {
    const PhiloxBlock words = stream.block(static_cast<uint64_t>(i) / 4);
    const size_t pair = static_cast<size_t>(i) & 2;
    const float uniform = (static_cast<float>(words[pair] >> 1) + 0.5f) * 0x1p-31f;
    const double radius = std::sqrt(-2 * std::log(double{uniform}));
    const double angle = words[pair + 1] * 0x1p-32 * 2 * std::numbers::pi;
    const double expected = radius * (i % 2 ? std::sin(angle) : std::cos(angle));
    worst = std::max(worst, std::fabs(z[static_cast<size_t>(i)] - expected));
  }
  EXPECT_LT(worst, 2e-6);
}

struct Moments {
  double mean = 0, variance = 0, kurtosis = 0, beyond3 = 0, beyond5 = 0, worst_correlation = 0;
};

Moments moments(const std::vector<float>& z) {
  const double n = static_cast<double>(z.size());
  double sums[5] = {}, lag[5] = {};  // of x^0 .. x^4; of x[i] * x[i - d]
  Moments m;
  for (size_t i = 0; i < z.size(); ++i) {
    const double x = z[i];
    double power_of_x = 1;
    for (double& sum : sums) {
      sum += power_of_x;
      power_of_x *= x;
    }
    for (size_t d = 1; d <= 4 && d <= i; ++d) lag[d] += x * z[i - d];
    m.beyond3 += std::fabs(x) > 3;
    m.beyond5 += std::fabs(x) > 5;
  }
  m.mean = sums[1] / n;
  m.variance = sums[2] / n;
  m.kurtosis = sums[4] / n / (m.variance * m.variance);
  for (int d = 1; d <= 4; ++d) m.worst_correlation = std::max(m.worst_correlation, std::fabs(lag[d] / n));
  return m;
}

// Five standard errors of n = 1e7 draws; the expected number beyond five deviations is 5.7.
TEST(NoiseStatistics, TenMillionDraws) {
  const Moments m = moments(draws(10'000'000, {2024, 1, 1}));
  EXPECT_NEAR(m.mean, 0, 1.6e-3);
  EXPECT_NEAR(m.variance, 1, 2.3e-3);
  EXPECT_NEAR(m.kurtosis, 3, 7.8e-3);
  EXPECT_NEAR(m.beyond3 / 1e7, 0.0026998, 8.3e-5);
  EXPECT_LE(m.beyond5, 20);
  EXPECT_LT(m.worst_correlation, 1.6e-3);
}

// Never log(0), and an angle of any word: the smallest and largest words give finite numbers.
TEST_P(Noise, IsFiniteOverManyDraws) {
  for (float z : draws(4'000'000, {5, 6, 7})) ASSERT_LT(std::fabs(z), 6.7f);
}

}  // namespace
}  // namespace detent::kernels
