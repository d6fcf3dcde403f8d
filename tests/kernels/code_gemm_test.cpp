// Products with packed codes: bit-equal on every instruction set to float_gemm's reference over what dequantize_group
// gives for the codes before packing, over every uniform grid, shapes around panels and tiles, and hostile values.
#include "detent/kernels/code_gemm/code_gemm.h"

#include <algorithm>
#include <cfloat>

#include "detent/kernels/fake_quant/fake_quant.h"
#include "detent/kernels/float_gemm/float_gemm.h"
#include "detent/kernels/harness/inputs.h"
#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

using test::Guarded;
using test::same_output;

DETENT_KERNEL_TEST(CodeGemm);

struct CodeGemmCase {
  Grid grid;
  int64_t rows, outputs, depth, group;
  bool shared_scale = false;  // all outputs have the first one's
};

// A weight before and after packing.
struct Weight {
  std::vector<int8_t> codes;
  std::vector<float> scales, values;
  Guarded<uint8_t> panels;
  Guarded<float> panel_scales;
  CodePanels view;

  Weight(const CodeGemmCase& c, std::vector<float> given)
      : scales(std::move(given)),
        panels((c.outputs + 15) / 16 * code_packing(c.grid).panel_bytes(c.depth), 3),
        panel_scales((c.outputs + 15) / 16 * 16 * groups(c), 1),
        view{code_packing(c.grid), panels.data(), panel_scales.data(), c.outputs, c.depth, c.group} {
    const int64_t scale_stride = c.shared_scale ? 0 : groups(c);
    for (int64_t i = 0; i < c.outputs * c.depth; ++i)
      codes.push_back(static_cast<int8_t>(c.grid.lo() + (i * 37 + i / 7 * 11) % c.grid.level_count()));
    pack_codes(codes.data(), c.outputs, c.depth, c.grid, panels.data());
    pack_code_scales(scales.data(), scale_stride, c.outputs, groups(c), panel_scales.data());
    values.resize(codes.size());
    for (int64_t j = 0; j < c.outputs; ++j)
      for (int64_t g = 0; g < groups(c); ++g) {
        const int64_t at = j * c.depth + g * c.group;
        reference::dequantize_group(codes.data() + at, c.group, scales.at(static_cast<size_t>(j * scale_stride + g)),
                                    c.grid, values.data() + at);
      }
  }
  static int64_t groups(const CodeGemmCase& c) { return c.depth / c.group; }
  bool intact() const { return panels.intact() && panel_scales.intact(); }
};

std::vector<Grid> uniform_grids() {
  std::vector<Grid> grids = {make_grid("ternary", 1), make_grid("binary", 1)};
  for (int bits = 2; bits <= 8; ++bits) grids.push_back(make_grid("int", bits));
  for (int bits = 2; bits <= 7; ++bits) grids.push_back(make_grid("int_high", bits));
  for (int bits = 1; bits <= 8; ++bits) grids.push_back(make_grid("midrise", bits));
  return grids;
}

std::vector<float> signed_scales(const CodeGemmCase& c) { return gaussian_values(c.outputs * Weight::groups(c), 3); }

// By float_gemm's blocks, each packed from codes in two parts.
void multiply_blocked(const Weight& w, const CodeGemmRows& rows) {
  for_float_gemm_blocks(0, w.view.outputs, w.view.depth, [&](PackedColumns block) {
    const int64_t depth = block.end - block.begin, middle = std::min(block.first + 32, block.last);
    Guarded<float> packed((block.last - block.first + 31) / 32 * 32 * depth, 0);
    code_gemm_pack(w.view, block.first, middle, block.begin, block.end, packed.data());
    code_gemm_pack(w.view, middle, block.last, block.begin, block.end, packed.data() + (middle - block.first) * depth);
    ASSERT_TRUE(packed.intact());
    block.data = packed.data();
    float_gemm_rows({rows.x, rows.x_stride, 1}, 0, rows.rows, block, rows.out, rows.out_stride);
  });
}

void check(const CodeGemmCase& c, const std::vector<float>& scales, const std::vector<float>& hostile = {}) {
  SCOPED_TRACE(::testing::Message() << c.grid.name() << ", " << c.rows << " x " << c.outputs << " x " << c.depth
                                    << " by " << c.group);
  const int64_t x_stride = c.depth + 3, out_stride = c.outputs + 2;
  std::vector<float> entries = gaussian_values(c.rows * x_stride, 1);
  if (!hostile.empty()) entries = with_hostile_values(std::move(entries), hostile, 67);
  const Guarded<float> x(entries, 5);
  const Weight w(c, scales);
  ASSERT_TRUE(w.intact());
  Guarded<float> out(c.rows * out_stride, 3), expected(c.rows * out_stride, 3), plain(c.rows * out_stride, 3);
  code_gemm(w.view, {x.data(), c.rows, x_stride, out.data(), out_stride}, 0, w.view.panels());
  reference::code_gemm(w.view, {x.data(), c.rows, x_stride, plain.data(), out_stride}, 0, w.view.panels(),
                       float_gemm_fuses());
  reference::float_gemm({x.data(), x_stride, 1}, {w.values.data(), c.depth, 1}, c.depth, {0, c.rows, 0, c.outputs},
                        expected.data(), out_stride, float_gemm_fuses());
  ASSERT_TRUE(same_output(plain, expected)) << "reference";
  ASSERT_TRUE(same_output(out, expected));
  Guarded<float> blocked(c.rows * out_stride, 3);
  multiply_blocked(w, {x.data(), c.rows, x_stride, blocked.data(), out_stride});
  ASSERT_TRUE(same_output(blocked, expected)) << "blocked";
}

TEST_P(CodeGemm, EqualsFloatGemmOverTheValuesOfEveryGrid) {
  for (const Grid& grid : uniform_grids())
    for (const CodeGemmCase& c : {CodeGemmCase{grid, 5, 37, 96, 32}, CodeGemmCase{grid, 1, 33, 45, 45},
                                  CodeGemmCase{grid, 3, 16, 96, 96, true}}) {
      check(c, signed_scales(c));
      if (HasFatalFailure()) return;
    }
}

TEST_P(CodeGemm, OfEveryShape) {
  for (const Grid& grid : {make_grid("int", 4), make_grid("midrise", 6)})
    for (int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 17})
      for (int64_t outputs : {1, 15, 16, 17, 31, 32, 33, 48, 65})
        for (const auto& [depth, group] : {std::pair<int64_t, int64_t>{1, 1}, {7, 7}, {64, 32}, {192, 64}}) {
          const CodeGemmCase c{grid, rows, outputs, depth, group};
          check(c, signed_scales(c));
          if (HasFatalFailure()) return;
        }
}

TEST_P(CodeGemm, CarriesHostileValuesAsFloatGemm) {
  for (const char* kind : {"int", "midrise"})
    for (int64_t rows : {1, 6}) {
      const CodeGemmCase c{make_grid(kind, 4), rows, 21, 160, 32};
      for (const std::vector<float>& x : {finite_extremes(), non_finite()}) {
        check(c, signed_scales(c), x);
        for (const std::vector<float>& scales : {finite_extremes(), non_finite()})
          check(c, with_hostile_values(signed_scales(c), scales, 3), x);
        if (HasFatalFailure()) return;
      }
    }
}

TEST_P(CodeGemm, PartsMakeTheWhole) {
  const CodeGemmCase c{make_grid("int", 4), 5, 85, 64, 32};
  const Weight w(c, signed_scales(c));
  const std::vector<float> x = gaussian_values(c.rows * c.depth, 1);
  Guarded<float> whole(c.rows * c.outputs, 0), parts(c.rows * c.outputs, 0);
  code_gemm(w.view, {x.data(), c.rows, c.depth, whole.data(), c.outputs}, 0, 6);
  for (const auto& [first, last] : {std::pair<int64_t, int64_t>{3, 6}, {0, 1}, {1, 3}, {3, 3}}) {
    const std::vector<float> before = parts.values();
    code_gemm(w.view, {x.data(), c.rows, c.depth, parts.data(), c.outputs}, first, last);
    for (int64_t i = 0; i < c.rows * c.outputs; ++i) {
      const int64_t panel = i % c.outputs / 16;
      const bool inside = panel >= first && panel < last;
      ASSERT_TRUE(test::same(parts.data()[i], inside ? whole.data()[i] : before[static_cast<size_t>(i)])) << i;
    }
  }
  EXPECT_TRUE(same_output(parts, whole));
}

// Small whole numbers: every sum is exact, so that the expected one may be made in integers from the grid's definition.
TEST_P(CodeGemm, IsExactInWholeNumbers) {
  const CodeGemmCase c{make_grid("int", 4), 3, 19, 64, 32};
  std::vector<float> scales, x;
  for (int64_t i = 0; i < c.outputs * 2; ++i) scales.push_back(static_cast<float>(i % 5 - 2));
  for (int64_t i = 0; i < c.rows * c.depth; ++i) x.push_back(static_cast<float>(i * i % 31 - 15));
  const Weight w(c, scales);
  std::vector<float> out(static_cast<size_t>(c.rows * c.outputs));
  code_gemm(w.view, {x.data(), c.rows, c.depth, out.data(), c.outputs}, 0, w.view.panels());
  for (int64_t i = 0; i < c.rows; ++i)
    for (int64_t j = 0; j < c.outputs; ++j) {
      int64_t sum = 0;
      for (int64_t k = 0; k < c.depth; ++k)
        sum += ((i * c.depth + k) * (i * c.depth + k) % 31 - 15) * ((j * 2 + k / 32) % 5 - 2) *
               w.codes[static_cast<size_t>(j * c.depth + k)];
      ASSERT_EQ(out[static_cast<size_t>(i * c.outputs + j)], static_cast<float>(sum)) << i << ", " << j;
    }
}

}  // namespace
}  // namespace detent::kernels
