// Groups of zeros and groups that are not finite, by closed form, for every grid, scale rule and granularity.
#include <gtest/gtest.h>

#include <limits>

#include "detent/base/error.h"
#include "detent/format/two_level.h"
#include "detent/ops/fake_quant.h"
#include "detent/quant/quantizer.h"
#include "tests/support/bits.h"

namespace detent {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

std::vector<QuantSpec> dynamic_specs() {
  std::vector<QuantSpec> all;
  for (const std::string& grid : grid_names())
    for (int bits = 1; bits <= 8; ++bits)
      for (const std::string& rule : scale_rule_names())
        for (const char* group : {"row", "32"})
          for (const std::string& format : scale_format_names()) {
            try {
              QuantSpec spec{make_grid(grid, bits), parse_granularity(group), parse_scale_rule(rule),
                             parse_scale_format(format)};
              check_spec(spec);
              const bool learned = spec.scale_rule == ScaleRule::kLearned;
              if (!learned && !two_level(spec.scale_format)) all.push_back(spec);  // two levels: two_level_test.cpp
            } catch (const Error&) {  // bits the grid does not have, or a rule it does not go with
            }
          }
  return all;
}

at::Tensor gaussian(int64_t rows, int64_t columns) {
  return ops::add_gaussian(at::zeros({rows, columns}), 0.05f, {.seed = 7});
}

// QuEST adds 1e-8 to the clipping point; every other rule gives zero, which powers of two do not have.
float zero_scale(const QuantSpec& spec) {
  if (spec.scale_format == ScaleFormat::kE8M0) return 0x1p-127f;
  if (spec.scale_rule != ScaleRule::kRms || spec.grid.kind != GridKind::kMidrise) return 0;
  return round_scale(static_cast<float>(2e-8 / (spec.grid.level_count() - 1)), spec.scale_format);
}

TEST(HostileGroups, ZerosHaveTheScaleOfTheFormulaAndCodeZero) {
  for (const QuantSpec& spec : dynamic_specs())
    for (const float zero : {0.0f, -0.0f}) {
      SCOPED_TRACE(spec.name());
      const Quantized q = quantize(at::full({2, 64}, zero), spec);
      EXPECT_TRUE(q.scales.abs().eq(zero_scale(spec)).all().item<bool>());
      EXPECT_TRUE(q.codes.eq(0).all().item<bool>());
      EXPECT_TRUE(dequantize(q).abs().eq(zero_scale(spec) * spec.grid.level(0)).all().item<bool>());
    }
}

TEST(HostileGroups, NotFiniteGroupsAreNanAndLeaveOthersAlone) {
  const at::Tensor clean = gaussian(3, 64);
  for (const QuantSpec& spec : dynamic_specs())
    for (const float bad : {kNan, kInfinity, -kInfinity})
      for (const int64_t at : {0, 17, 31}) {
        SCOPED_TRACE(spec.name());
        at::Tensor x = clean.clone();
        x[1][at] = bad;
        const Quantized q = quantize(x, spec);
        const at::Tensor value = dequantize(q), expected = quantized_value(clean, spec);
        const int64_t poisoned = spec.granularity.kind == GranularityKind::kGroup ? 32 : 64;
        EXPECT_TRUE(value[1].narrow(0, 0, poisoned).isnan().all().item<bool>());
        EXPECT_TRUE(q.codes[1].narrow(0, 0, poisoned).eq(0).all().item<bool>());
        EXPECT_TRUE(test::same_bits(value[0], expected[0]));
        EXPECT_TRUE(test::same_bits(value[1].narrow(0, poisoned, 64 - poisoned),
                                    expected[1].narrow(0, poisoned, 64 - poisoned)));
        EXPECT_TRUE(test::same_bits(value[2], expected[2]));
        EXPECT_TRUE(test::same_bits(quantized_value(x, spec), value));
      }
}

TEST(HostileGroups, OneBadElementPoisonsAWholeTensorsScale) {
  QuantSpec spec{make_grid("int", 4), parse_granularity("tensor"), ScaleRule::kAbsmax};
  for (const Rotation rotation : {Rotation::kNone, Rotation::kHadamard, Rotation::kHadamardHalf}) {
    spec.rotation = rotation;
    at::Tensor x = gaussian(3, 64);
    x[2][5] = kNan;
    EXPECT_TRUE(quantized_value(x, spec).isnan().all().item<bool>());
  }
}

// A given scale cannot be poisoned: infinities saturate, and NaN stays where it is.
TEST(HostileGroups, AGivenScaleSaturatesInfinities) {
  const QuantSpec spec{make_grid("int", 4), parse_granularity("row"), ScaleRule::kLearned};
  at::Tensor x = at::zeros({1, 4});
  x[0][0] = kInfinity;
  x[0][1] = -kInfinity;
  x[0][2] = kNan;
  const at::Tensor value = quantized_value(x, spec, at::full({1, 1}, 0.5f));
  EXPECT_EQ(value[0][0].item<float>(), 3.5f);
  EXPECT_EQ(value[0][1].item<float>(), -4.0f);
  EXPECT_TRUE(std::isnan(value[0][2].item<float>()));
  EXPECT_EQ(value[0][3].item<float>(), 0.0f);
}

// Learned steps keep their sign and stay away from zero, whatever the optimizer made of them.
TEST(HostileGroups, LearnedStepsAreFloored) {
  const QuantSpec spec{make_grid("int", 4), parse_granularity("row"), ScaleRule::kLearned};
  const at::Tensor raw = at::tensor({0.0f, -0.0f, 1e-9f, -1e-9f, 0.25f, kNan}).view({6, 1});
  const at::Tensor scales = quantize(gaussian(6, 32), spec, raw).scales;
  const at::Tensor expected = at::tensor({1e-5f, -1e-5f, 1e-5f, -1e-5f, 0.25f, kNan});
  EXPECT_TRUE(test::same_bits(scales, expected));
}

}  // namespace
}  // namespace detent
