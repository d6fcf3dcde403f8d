#include "detent/kernels/pull/pull.h"
#include "detent/kernels/fake_quant/cases.h"
#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

using test::Guarded;
using test::same_output;

DETENT_KERNEL_TEST(Pull);

struct Layout {
  int64_t groups, group, block;
};
// Blocks of every size, in groups that hold one and more and in groups that are smaller; lengths that no vector
// divides.
constexpr Layout kLayouts[] = {{1, 1, 1},    {1, 15, 1},   {1, 16, 1}, {1, 67, 1},    {3, 32, 1},
                               {5, 33, 1},   {1, 34, 2},   {1, 8, 8},  {3, 24, 8},    {2, 64, 64},
                               {1, 192, 64}, {4, 32, 128}, {0, 32, 1}, {1, 128, 128}, {3, 256, 128}};

// Each group's scale one after the other of the hostile ones, beginning with `first`.
std::vector<float> scales_from(size_t first, int64_t groups) {
  const std::vector<float> all = case_scales();
  std::vector<float> scales;
  for (int64_t g = 0; g < groups; ++g) scales.push_back(all[(first + static_cast<size_t>(g)) % all.size()]);
  return scales;
}

void check(const std::vector<float>& x, const Layout& layout, const std::vector<float>& scales, const Grid& grid,
           int offset) {
  const int64_t n = layout.groups * layout.group;
  std::vector<float> weights = with_hostile_values(gaussian_values(n, 3), finite_extremes(), 7);
  weights = with_hostile_values(weights, non_finite(), 23);
  Guarded<float> row(x, offset), unchanged(x, offset), scratch(n, 15 - offset);
  for (const float strength : {0.0f, 0.013f, 1.0f}) {
    Guarded<float> w(weights, 15 - offset), expected(weights, 15 - offset);
    reference::pull_quantized(expected.data(), row.data(), n, layout.group, layout.block, scales.data(), grid, strength,
                              scratch.data());
    pull_quantized(w.data(), row.data(), n, layout.group, layout.block, scales.data(), grid, strength, scratch.data());
    ASSERT_TRUE(same_output(w, expected)) << "strength " << strength;
    ASSERT_TRUE(same_output(row, unchanged)) << "row is an input";
    ASSERT_TRUE(scratch.intact());
  }
  if (layout.block > 1) return;  // what is not rotated is the weight itself
  Guarded<float> w(x, offset), expected(x, offset);
  reference::pull_quantized(expected.data(), expected.data(), n, layout.group, 1, scales.data(), grid, 0.5f,
                            scratch.data());
  pull_quantized(w.data(), w.data(), n, layout.group, 1, scales.data(), grid, 0.5f, scratch.data());
  ASSERT_TRUE(same_output(w, expected)) << "towards itself";
}

TEST_P(Pull, GridsScalesAndLayouts) {
  const size_t count = case_scales().size();
  for (const Grid& grid : all_grids())
    for (const Layout& layout : kLayouts) {
      const size_t step = layout.groups > 1 ? 5 : 1;
      for (size_t first = 0; first < count; first += step) {
        const std::vector<float> scales = scales_from(first, layout.groups);
        const int64_t n = layout.groups * layout.group;
        for (const FakeQuantInput& input : fake_quant_inputs(n, grid, scales.empty() ? 1 : scales[0])) {
          SCOPED_TRACE(::testing::Message() << layout.groups << " groups of " << layout.group << " in blocks of "
                                            << layout.block << ", scale " << first << ", " << input.name);
          check(input.x, layout, scales, grid, static_cast<int>(first % 16));
          if (HasFatalFailure()) return;
        }
      }
    }
}

// w - strength (w - target), the target on int4 with scale 1 known by hand: 0, 2, -4 (half to even) and 7.
TEST_P(Pull, MovesAShareOfTheWay) {
  std::vector<float> w, expected, scratch(35);
  for (size_t i = 0; i < scratch.size(); ++i) {  // whole vectors and a rest
    w.push_back(std::vector<float>{0.4f, 1.75f, -3.5f, 9.0f}[i % 4]);
    expected.push_back(std::vector<float>{0.2f, 1.875f, -3.75f, 8.0f}[i % 4]);
  }
  const float scale = 1;
  pull_quantized(w.data(), w.data(), 35, 35, 1, &scale, {GridKind::kInt, 4}, 0.5f, scratch.data());
  EXPECT_EQ(w, expected);
}

}  // namespace
}  // namespace detent::kernels
