// has_fixed_point, measured for every grid and rule: pulling weights towards their quantized values again and again,
// x <- x - c (x - Q(x)), as CAGE and resets do, must leave the scale where it was.
#include <fmt/format.h>

#include "detent/kernels/fake_quant/cases.h"
#include "detent/kernels/optimizer/optimizer.h"
#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

// The strengths of all pulls add up to 2.7 in CAGE's published settings; to forty in no run that makes sense.
constexpr float kStrength = 0.1f;
constexpr int kPublishedPulls = 27, kEndlessPulls = 400;

struct Drift {
  double scale = 0;  // |last scale / first scale - 1|
  double error = 0;  // ||x - Q(x)|| / ||x|| at the end
};

Drift pull(std::vector<float> x, const Grid& grid, ScaleRule rule, int pulls) {
  const int64_t n = static_cast<int64_t>(x.size());
  std::vector<float> value(x.size());
  const auto quantize = [&] {
    const float scale = scale_from_stats(group_stats(x.data(), n), static_cast<double>(n), grid, rule);
    quantize_group(x.data(), n, scale, grid, {-1, 1}, {.value = value.data()});
    return scale;
  };
  const float first = quantize();
  float last = first;
  for (int i = 0; i < pulls; ++i) {
    pull_row(x.data(), value.data(), kStrength, n);
    last = quantize();
  }
  for (size_t i = 0; i < x.size(); ++i) value[i] -= x[i];
  return {std::fabs(last / first - 1.0), std::sqrt(sum_squares(value.data(), n) / sum_squares(x.data(), n))};
}

Drift largest_drift(const Grid& grid, ScaleRule rule, int64_t n, int pulls) {
  Drift worst;
  for (uint64_t seed = 100; seed < 120; ++seed) {
    const Drift drift = pull(gaussian_values(n, seed, 0.02f), grid, rule, pulls);
    worst.scale = std::max(worst.scale, drift.scale);
    worst.error = std::max(worst.error, drift.error);
  }
  return worst;
}

template <class Check>
void for_every_pair(Check check) {
  for (const Grid& grid : all_grids())
    for (const std::string& name : scale_rule_names()) {
      const ScaleRule rule = parse_scale_rule(name);
      if (rule == ScaleRule::kLearned || !rule_fits(grid, rule)) continue;
      SCOPED_TRACE(grid.name() + " " + name);
      check(grid, rule);
    }
}

TEST(FixedPoint, PairsThatHaveOneStayForever) {
  for_every_pair([](const Grid& grid, ScaleRule rule) {
    if (!has_fixed_point(grid, rule) || rule == ScaleRule::kRms) return;
    for (int64_t n : {64, 512}) {
      const Drift drift = largest_drift(grid, rule, n, kEndlessPulls);
      EXPECT_LT(drift.scale, 1e-5) << n;
      EXPECT_LT(drift.error, 1e-4) << n;
    }
  });
}

// QuEST's scale has none: a quantized row's rms is smaller than the row's by the quantization error, and the scale
// follows. From 3 bits on that is small over the pull that CAGE publishes with this quantizer.
TEST(FixedPoint, MidriseRmsMovesLittleUnderThePublishedPull) {
  for (int bits = 3; bits <= 8; ++bits) {
    const Grid grid{GridKind::kMidrise, bits};
    EXPECT_TRUE(has_fixed_point(grid, ScaleRule::kRms));
    for (int64_t n : {512, 2048}) {
      const Drift drift = largest_drift(grid, ScaleRule::kRms, n, kPublishedPulls);
      EXPECT_LT(drift.scale, bits == 3 ? 0.15 : 0.06) << bits << " bits, n " << n;
      EXPECT_LT(drift.error, bits == 3 ? 0.05 : 0.02) << bits << " bits, n " << n;
    }
  }
}

TEST(FixedPoint, OtherPairsDriftAway) {
  for_every_pair([](const Grid& grid, ScaleRule rule) {
    if (has_fixed_point(grid, rule)) return;
    EXPECT_GT(largest_drift(grid, rule, 64, kEndlessPulls).scale, 0.1);
  });
}

}  // namespace
}  // namespace detent::kernels
