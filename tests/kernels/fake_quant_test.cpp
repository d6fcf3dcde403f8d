// Every fast fake quantization kernel equals its reference, bit for bit.
#include <fmt/format.h>

#include "detent/kernels/fake_quant/cases.h"
#include "detent/kernels/fake_quant/groups.h"
#include "detent/kernels/stream.h"
#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

using test::Guarded;
using test::same;
using test::same_output;
using test::same_values;

DETENT_KERNEL_TEST(FakeQuant);

std::string describe(const Grid& grid, float scale, const std::string& input, int64_t n) {
  return fmt::format("{} scale {} input {} n {}", grid.name(), scale, input, n);
}

void check_stats(const std::vector<float>& x, int offset) {
  const Guarded<float> buffer(x, offset);
  const int64_t n = static_cast<int64_t>(x.size());
  const GroupStats got = group_stats(buffer.data(), n), expected = reference::group_stats(buffer.data(), n);
  ASSERT_EQ(got.finite, expected.finite);
  ASSERT_TRUE(same(got.absmax, expected.absmax)) << got.absmax << " " << expected.absmax;
  ASSERT_TRUE(same(got.extreme, expected.extreme)) << got.extreme << " " << expected.extreme;
  ASSERT_TRUE(same(got.sum_abs, expected.sum_abs));
  ASSERT_TRUE(same(got.sum_squares, expected.sum_squares));
}

// All three outputs, then each alone, then in place.
void check_quantize(const std::vector<float>& x, int offset, float scale, const Grid& grid,
                    const Surrogate& surrogate) {
  const int64_t n = static_cast<int64_t>(x.size());
  Guarded<float> in(x, offset), value(n, offset), value_ref(n, offset);
  Guarded<int8_t> codes(n, offset), codes_ref(n, offset);
  Guarded<uint8_t> mask(mask_bytes(n), offset), mask_ref(mask_bytes(n), offset);
  reference::quantize_group(in.data(), n, scale, grid, surrogate,
                            {value_ref.data(), codes_ref.data(), mask_ref.data()});
  quantize_group(in.data(), n, scale, grid, surrogate, {value.data(), codes.data(), mask.data()});
  ASSERT_TRUE(same_output(value, value_ref));
  ASSERT_TRUE(same_output(codes, codes_ref));
  ASSERT_TRUE(same_output(mask, mask_ref));

  Guarded<float> streamed(n, offset);
  quantize_group(in.data(), n, scale, grid, surrogate, {.value = streamed.data(), .stream = true});
  end_streaming();
  ASSERT_TRUE(same_output(streamed, value_ref)) << "streamed";

  Guarded<int8_t> codes_only(n, 15 - offset);
  Guarded<uint8_t> mask_only(mask_bytes(n), 15 - offset);
  quantize_group(in.data(), n, scale, grid, surrogate, {.codes = codes_only.data()});
  quantize_group(in.data(), n, scale, grid, surrogate, {.mask = mask_only.data()});
  quantize_group(in.data(), n, scale, grid, surrogate, {.value = in.data()});
  ASSERT_TRUE(same_output(codes_only, codes_ref));
  ASSERT_TRUE(same_output(mask_only, mask_ref));
  ASSERT_TRUE(same_output(in, value_ref));

  Guarded<float> decoded(n, offset), decoded_ref(n, offset);
  dequantize_group(codes.data(), n, scale, grid, decoded.data());
  reference::dequantize_group(codes.data(), n, scale, grid, decoded_ref.data());
  ASSERT_TRUE(same_output(decoded, decoded_ref));
}

// Neighbouring groups in one call, scales by every rule.
void check_groups(const std::vector<float>& x, int offset, int64_t group, const Grid& grid,
                  const Surrogate& surrogate) {
  const int64_t n = static_cast<int64_t>(x.size());
  const Guarded<float> in(x, offset);
  for (const ScaleRule rule :
       {ScaleRule::kAbsmax, ScaleRule::kAbsmaxFull, ScaleRule::kAbsmaxSigned, ScaleRule::kRms, ScaleRule::kMean}) {
    if (!rule_fits(grid, rule)) continue;
    SCOPED_TRACE(scale_rule_name(rule));
    Guarded<float> scales(n / group, offset), scales_ref(n / group, offset);
    group_scales(in.data(), n, group, grid, rule, scales.data());
    reference::group_scales(in.data(), n, group, grid, rule, scales_ref.data());
    ASSERT_TRUE(same_output(scales, scales_ref));
    Guarded<float> value(n, offset), value_ref(n, offset);
    Guarded<int8_t> codes(n, offset), codes_ref(n, offset);
    Guarded<uint8_t> mask(mask_bytes(n), offset), mask_ref(mask_bytes(n), offset);
    quantize_groups(in.data(), n, group, scales.data(), grid, surrogate, {value.data(), codes.data(), mask.data()});
    reference::quantize_groups(in.data(), n, group, scales.data(), grid, surrogate,
                               {value_ref.data(), codes_ref.data(), mask_ref.data()});
    ASSERT_TRUE(same_output(value, value_ref));
    ASSERT_TRUE(same_output(codes, codes_ref));
    ASSERT_TRUE(same_output(mask, mask_ref));
    Guarded<float> streamed(n, offset);
    quantize_groups(in.data(), n, group, scales.data(), grid, surrogate, {.value = streamed.data(), .stream = true});
    end_streaming();
    ASSERT_TRUE(same_output(streamed, value_ref)) << "streamed";
  }
}

void check_learned_backward(const std::vector<float>& x, const std::vector<float>& g, int offset, float scale,
                            const Grid& grid, const Surrogate& surrogate) {
  const int64_t n = static_cast<int64_t>(x.size());
  const Guarded<float> in(x, offset);
  Guarded<float> gradient(g, 15 - offset), dx(n, offset), dx_ref(n, offset);
  const double expected =
      reference::learned_backward_group(in.data(), gradient.data(), n, scale, grid, surrogate, dx_ref.data());
  const auto run = [&](float* out) {
    return learned_backward_group(in.data(), gradient.data(), n, scale, grid, surrogate, out);
  };
  ASSERT_TRUE(same(run(dx.data()), expected));
  ASSERT_TRUE(same_output(dx, dx_ref));
  ASSERT_TRUE(same(run(nullptr), expected));
  ASSERT_TRUE(same(run(gradient.data()), expected)) << "in place";
  ASSERT_TRUE(same_values(gradient.values(), dx_ref.values()));
}

void check_all(const std::vector<float>& x, int offset, float scale, const Grid& grid) {
  const int64_t n = static_cast<int64_t>(x.size());
  const std::vector<float> g = with_hostile_values(gaussian_values(n, 2), finite_extremes(), 9);
  check_stats(x, offset);
  for (const SurrogateCase& c : surrogate_cases(grid)) {
    SCOPED_TRACE(c.name);
    check_quantize(x, offset, scale, grid, c.surrogate);
    check_learned_backward(x, g, offset, scale, grid, c.surrogate);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST_P(FakeQuant, LengthsAndAlignments) {
  for (const Grid& grid : {Grid{GridKind::kInt, 4}, Grid{GridKind::kMidrise, 3}, Grid{GridKind::kBinary, 1}})
    for (int64_t n : case_lengths())
      for (const int offset : case_offsets(n))
        for (const FakeQuantInput& input : fake_quant_inputs(n, grid, 0.37f)) {
          SCOPED_TRACE(describe(grid, 0.37f, input.name, n) + fmt::format(" offset {}", offset));
          check_all(input.x, offset, 0.37f, grid);
          if (HasFatalFailure()) return;
        }
}

TEST_P(FakeQuant, EveryGridAndScale) {
  for (const Grid& grid : all_grids())
    for (float scale : case_scales())
      for (int64_t n : {19, 64, 300})
        for (const FakeQuantInput& input : fake_quant_inputs(n, grid, scale)) {
          SCOPED_TRACE(describe(grid, scale, input.name, n));
          check_all(input.x, 1, scale, grid);
          if (HasFatalFailure()) return;
        }
}

TEST_P(FakeQuant, NeighbouringGroups) {
  for (const Grid& grid : all_grids())
    for (const auto& [group, groups] :
         {std::pair{8, 3}, {16, 5}, {24, 3}, {32, 9}, {40, 3}, {128, 2}, {1, 1}, {100, 1}})
      for (const FakeQuantInput& input : fake_quant_inputs(group * groups, grid, 0.37f)) {
        SCOPED_TRACE(describe(grid, 0.37f, input.name, group));
        check_groups(input.x, groups, group, grid, surrogate_cases(grid)[3].surrogate);
        if (HasFatalFailure()) return;
      }
}

TEST_P(FakeQuant, OneNonFiniteElementAnywhere) {
  const Grid grid{GridKind::kInt, 4};
  for (float hostile : non_finite())
    for (size_t position = 0; position < 50; ++position) {
      std::vector<float> x = gaussian_values(50, 3), value(50);
      x[position] = hostile;
      EXPECT_FALSE(group_stats(x.data(), 50).finite) << hostile << " at " << position;
      quantize_group(x.data(), 50, 0.1f, grid, surrogate_cases(grid)[0].surrogate, {.value = value.data()});
      const float expected = std::isnan(hostile) ? hostile : 0.1f * (hostile > 0 ? 7.0f : -8.0f);
      EXPECT_TRUE(same(value[position], expected)) << hostile << " at " << position;
    }
}

TEST_P(FakeQuant, TheFirstOfEqualMagnitudesWins) {
  for (size_t first = 0; first < 60; ++first)
    for (float sign : {1.0f, -1.0f}) {
      std::vector<float> x = gaussian_values(61, 4, 0.1f);
      x[first] = 3 * sign;
      for (size_t later = first + 1; later < 61; later += 3) x[later] = -3 * sign;
      EXPECT_EQ(group_stats(x.data(), 61).extreme, 3 * sign) << first;
    }
}

TEST_P(FakeQuant, ApplyMask) {
  for (int64_t n : case_lengths())
    for (const int offset : case_offsets(n)) {
      const Guarded<float> in(with_hostile_values(gaussian_values(n, 5), non_finite(), 3), offset);
      Guarded<uint8_t> mask(mask_bytes(n), 15 - offset);
      for (int64_t i = 0; i < mask_bytes(n); ++i) mask.data()[i] = static_cast<uint8_t>(i * 73 + 41);
      Guarded<float> dx(n, offset), expected(n, offset), in_place(in.values(), offset);
      reference::apply_mask(in.data(), mask.data(), n, expected.data());
      apply_mask(in.data(), mask.data(), n, dx.data());
      apply_mask(in_place.data(), mask.data(), n, in_place.data());
      ASSERT_TRUE(same_output(dx, expected)) << n;
      ASSERT_TRUE(same_output(in_place, expected)) << n;
    }
}

}  // namespace
}  // namespace detent::kernels
