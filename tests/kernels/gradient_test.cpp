// Surrogate gradients against finite differences of the quantizer with its rounding residual frozen: round(u) becomes
// u + r with r = round(u0) - u0 kept from the base point. That function is smooth, and its derivative is the surrogate
// gradient of the whole straight-through family.
#include <fmt/format.h>

#include "detent/kernels/fake_quant/cases.h"
#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

DETENT_KERNEL_TEST(Gradient);

constexpr int64_t kLength = 257;

// Q(x) for scale d near (x0, d0), in double; saturates where the surrogate says so.
double frozen_value(double x, double d, double residual, const Surrogate& s) {
  const double u = x / d;
  if (u < s.u_lo) return d * s.level_lo;
  if (u > s.u_hi) return d * s.level_hi;
  return d * (u + residual);
}

double residual_at(double x0, double d0, const Grid& grid) {
  const double u = x0 / d0;
  double residual = grid.level(grid.lo()) - u;
  for (int code = grid.lo(); code <= grid.hi(); ++code)
    if (const double other = grid.level(code) - u; std::fabs(other) < std::fabs(residual)) residual = other;
  return residual;
}

bool near_an_edge(double u, const Grid& grid, const Surrogate& s) {
  double distance = std::min(std::fabs(u - s.u_lo), std::fabs(u - s.u_hi));
  for (int code = grid.lo(); code < grid.hi(); ++code)
    distance = std::min(distance, std::fabs(u - (double{grid.level(code)} + grid.level(code + 1)) / 2));
  return distance < 1e-4;
}

struct Point {
  std::vector<float> x, g;
};

Point random_point(float scale, const Grid& grid, const Surrogate& s, uint64_t seed) {
  const float spread = scale * (static_cast<float>(grid.level_count()) / 2 + 0.5f);
  Point point{gaussian_values(kLength, seed, spread), gaussian_values(kLength, seed + 1)};
  for (float& x : point.x)
    while (near_an_edge(x / scale, grid, s)) x += 3e-4f * scale;
  return point;
}

void check(const Point& point, float scale, const Grid& grid, const Surrogate& s) {
  std::vector<float> dx(kLength);
  const double got = learned_backward_group(point.x.data(), point.g.data(), kLength, scale, grid, s, dx.data());
  const double step = std::fabs(scale) * 1e-5;
  double expected = 0, magnitude = 0;
  for (size_t i = 0; i < kLength; ++i) {
    const double x = point.x[i], g = point.g[i], r = residual_at(x, scale, grid);
    const auto central = [&](double step_x, double step_d) {
      return (frozen_value(x + step_x, scale + step_d, r, s) - frozen_value(x - step_x, scale - step_d, r, s)) /
             (2 * step);
    };
    expected += g * central(0, step);
    magnitude += std::fabs(g * central(0, step));
    ASSERT_NEAR(dx[i], g * central(step, 0), 1e-6 * std::fabs(g)) << "x/d " << x / scale;
  }
  ASSERT_NEAR(got, expected, 1e-6 * magnitude);
}

TEST_P(Gradient, LearnedScaleEqualsFiniteDifferences) {
  for (const Grid& grid : all_grids())
    for (const SurrogateCase& c : surrogate_cases(grid))
      for (float scale : {0.37f, 0.0021f, -0.37f}) {
        if (c.surrogate.residual == 0) continue;  // not of this family: OneBitRule
        SCOPED_TRACE(fmt::format("{} {} scale {}", grid.name(), c.name, scale));
        check(random_point(scale, grid, c.surrogate, 7), scale, grid, c.surrogate);
        if (HasFatalFailure()) return;
      }
}

// s * sign(x): d/ds is the sign everywhere, the gradient of x passes where |x/s| <= 1.
TEST_P(Gradient, OneBitRule) {
  const Grid grid{GridKind::kBinary, 1};
  const Surrogate rule{-1, 1, -1, 1, 0};
  const std::vector<float> x = gaussian_values(kLength, 1), g = gaussian_values(kLength, 2);
  std::vector<float> dx(kLength);
  double expected = 0;
  for (size_t i = 0; i < kLength; ++i) expected += x[i] < 0 ? -double{g[i]} : double{g[i]};
  EXPECT_NEAR(learned_backward_group(x.data(), g.data(), kLength, 0.8f, grid, rule, dx.data()), expected, 1e-9);
  for (size_t i = 0; i < kLength; ++i) EXPECT_EQ(dx[i], std::fabs(x[i]) <= 0.8f ? g[i] : 0.0f);
}

// LSQ's published rule, restated: (round(u) - u) inside, the end of the range outside.
TEST_P(Gradient, LsqInClosedForm) {
  const Grid grid{GridKind::kInt, 3};
  const Surrogate lsq{-4, 3, -4, 3};
  const std::vector<float> x = {-9.0f, -4.0f, -3.7f, -0.2f, 0.6f, 2.9f, 3.0f, 3.2f, 50.0f};
  const std::vector<double> slope = {-4, 0, -0.3, 0.2, 0.4, 0.1, 0, 3, 3};
  for (size_t i = 0; i < x.size(); ++i) {
    const float g = 2;
    float dx = 99;
    EXPECT_NEAR(learned_backward_group(&x[i], &g, 1, 1.0f, grid, lsq, &dx), 2 * slope[i], 1e-6) << x[i];
    EXPECT_EQ(dx, x[i] >= -4 && x[i] <= 3 ? 2.0f : 0.0f) << x[i];
  }
}

std::vector<uint8_t> mask_of(const std::vector<float>& x, float scale, const Grid& grid, const Surrogate& s,
                             std::vector<float>* value) {
  const int64_t n = static_cast<int64_t>(x.size());
  std::vector<uint8_t> bits(static_cast<size_t>(mask_bytes(n))), mask;
  value->resize(x.size());
  quantize_group(x.data(), n, scale, grid, s, {.value = value->data(), .mask = bits.data()});
  for (size_t i = 0; i < x.size(); ++i) mask.push_back(bits[i / 8] >> i % 8 & 1);
  return mask;
}

// Trust (QuEST): the gradient passes where quantization moved the value by at most half a step.
TEST_P(Gradient, TrustMaskInClosedForm) {
  for (const Grid& grid : all_grids()) {
    const float half = grid.top_step() / 2;
    const Surrogate trust{grid.level(grid.lo()) - half, grid.level(grid.hi()) + half};
    const Point point = random_point(0.37f, grid, trust, 3);
    std::vector<float> value;
    const std::vector<uint8_t> mask = mask_of(point.x, 0.37f, grid, trust, &value);
    for (size_t i = 0; i < kLength; ++i)
      EXPECT_EQ(mask[i], std::fabs(value[i] - point.x[i]) <= half * 0.37f) << grid.name() << " " << point.x[i];
  }
}

// Clip: |x| <= k c with c = d (n - 1) / 2, the rule of QuEST's "MSE" variant on its symmetric grid.
TEST_P(Gradient, ClipMaskInClosedForm) {
  for (int bits = 1; bits <= 8; ++bits)
    for (float k : {1.0f, 1.3f}) {
      const Grid grid{GridKind::kMidrise, bits};
      const float top = static_cast<float>(grid.level_count() - 1) / 2;
      const Surrogate clip{-k * top, k * top};
      const Point point = random_point(0.37f, grid, clip, 5);
      std::vector<float> value;
      const std::vector<uint8_t> mask = mask_of(point.x, 0.37f, grid, clip, &value);
      for (size_t i = 0; i < kLength; ++i)
        EXPECT_EQ(mask[i], std::fabs(point.x[i]) <= k * (0.37f * top)) << grid.name() << " " << point.x[i];
    }
}

// The ends of the interval belong to it, and NaN belongs to none.
TEST_P(Gradient, MaskAtTheEnds) {
  const Grid grid{GridKind::kInt, 4};
  std::vector<float> value;
  const std::vector<float> x = {-8,
                                std::nextafter(-8.0f, -9.0f),
                                7,
                                std::nextafter(7.0f, 8.0f),
                                std::numeric_limits<float>::quiet_NaN(),
                                std::numeric_limits<float>::infinity()};
  EXPECT_EQ(mask_of(x, 1, grid, {-8, 7}, &value), (std::vector<uint8_t>{1, 0, 1, 0, 0, 0}));
}

// Codes are the nearest levels by brute force, ties to even codes (or upwards on grids without a zero).
TEST_P(Gradient, CodesAreTheNearestLevels) {
  for (const Grid& grid : all_grids()) {
    const std::vector<float> x = gaussian_values(1000, 11, static_cast<float>(grid.level_count()) / 3);
    std::vector<int8_t> codes(1000);
    quantize_group(x.data(), 1000, 1, grid, {-1, 1}, {.codes = codes.data()});
    for (size_t i = 0; i < 1000; ++i) {
      int best = grid.lo();
      for (int code = grid.lo(); code <= grid.hi(); ++code)
        if (std::fabs(double{grid.level(code)} - x[i]) < std::fabs(double{grid.level(best)} - x[i])) best = code;
      EXPECT_EQ(codes[i], best) << grid.name() << " " << x[i];
    }
  }
}

}  // namespace
}  // namespace detent::kernels
