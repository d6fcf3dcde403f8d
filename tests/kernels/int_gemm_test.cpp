// Integer products equal the plain loops bit for bit on every instruction set, and the plain loops equal the sums over
// levels that they stand for.
#include "detent/kernels/int_gemm/int_gemm.h"

#include "detent/format/grid.h"
#include "detent/kernels/int_gemm/cases.h"
#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

using test::Guarded;
using test::same;
using test::same_output;
using test::same_values;

DETENT_KERNEL_TEST(IntGemm);

IntGemmPart whole(const IntGemmCase& c) { return {0, c.rows, 0, padded_outputs(c.shape.outputs) / kPanelOutputs}; }

void check(const IntGemmCase& c, const IntGemmInput& in) {
  Guarded<float> got(c.rows * c.shape.outputs, 3), expected(c.rows * c.shape.outputs, 3);
  reference::int_gemm(in.rows, in.weights, c.shape, whole(c), expected.data());
  int_gemm(in.rows, in.weights, c.shape, whole(c), got.data());
  ASSERT_TRUE(same_output(got, expected))
      << c.name << " outputs " << c.shape.outputs << " depth " << c.shape.depth << " segment " << c.shape.segment
      << " bytes to " << c.shape.max_byte << " codes to " << c.shape.max_code;
}

TEST_P(IntGemm, EveryShapeAndRange) {
  for (const IntGemmCase& c : int_gemm_cases()) {
    check(c, spread_codes(c));
    check(c, extreme_codes(c));
    if (HasFatalFailure()) return;
  }
}

TEST_P(IntGemm, WithoutTerms) {
  for (IntGemmCase c : int_gemm_cases()) {
    IntGemmInput in = spread_codes(c);
    in.rows.terms = nullptr;
    in.weights.terms = nullptr;
    check(c, in);
    if (HasFatalFailure()) return;
  }
}

TEST_P(IntGemm, HostileScales) {
  for (const IntGemmCase& c : int_gemm_cases()) {
    IntGemmInput in = spread_codes(c);
    in.row_scales = with_hostile_values(with_hostile_values(in.row_scales, finite_extremes(), 3), non_finite(), 7);
    in.panel_scales = with_hostile_values(with_hostile_values(in.panel_scales, finite_extremes(), 5), non_finite(), 11);
    in.rows.scales = in.row_scales.data();
    in.weights.scales = in.panel_scales.data();
    check(c, in);
    if (HasFatalFailure()) return;
  }
}

TEST_P(IntGemm, PartsMakeTheWhole) {
  const IntGemmCase c{"parts", 45, {70, 192, 64, 1, 15, 8}, true};
  const IntGemmInput in = spread_codes(c);
  std::vector<float> expected(45 * 70), got(45 * 70);
  reference::int_gemm(in.rows, in.weights, c.shape, whole(c), expected.data());
  for (const auto& [row_begin, row_end] : {std::pair<int64_t, int64_t>{0, 11}, {11, 12}, {12, 45}})
    for (const auto& [panel_begin, panel_end] : {std::pair<int64_t, int64_t>{0, 2}, {2, 2}, {2, 5}})
      int_gemm(in.rows, in.weights, c.shape, {row_begin, row_end, panel_begin, panel_end}, got.data());
  EXPECT_TRUE(same_values(got, expected));
}

TEST_P(IntGemm, Packing) {
  for (const IntGemmCase& c : int_gemm_cases()) {
    const IntGemmInput in = spread_codes(c);
    const int64_t columns = padded_outputs(c.shape.outputs), padded = padded_depth(c.shape.depth);
    Guarded<int8_t> panels(columns * padded, 0);
    Guarded<int32_t> sums(c.shape.segments() * columns, 0);
    for (int64_t panel = 0; panel < columns / kPanelOutputs; ++panel)
      pack_panel(in.codes.data() + panel * kPanelOutputs * c.shape.depth, c.shape, panel, panels.data(), sums.data());
    ASSERT_TRUE(panels.intact() && sums.intact());
    ASSERT_EQ(panels.values(), in.panels);
    ASSERT_EQ(sums.values(), in.panel_terms);

    for (int64_t panel = 0; panel < columns / kPanelOutputs; ++panel) {
      const auto first = in.codes.begin() + panel * kPanelOutputs * c.shape.depth;
      const std::vector<int8_t> expected(
          first, first + std::min(kPanelOutputs, c.shape.outputs - panel * kPanelOutputs) * c.shape.depth);
      Guarded<int8_t> codes(static_cast<int64_t>(expected.size()), 2);
      unpack_panel(in.panels.data(), c.shape, panel, codes.data());
      ASSERT_TRUE(codes.intact());
      ASSERT_EQ(codes.values(), expected);
    }

    Guarded<uint8_t> bytes(padded, 1), bytes_ref(padded, 1);
    Guarded<int32_t> row(c.shape.segments(), 1), row_ref(c.shape.segments(), 1);
    offset_row(in.codes.data(), c.shape, -c.shape.max_code, bytes.data(), row.data());
    reference::offset_row(in.codes.data(), c.shape, -c.shape.max_code, bytes_ref.data(), row_ref.data());
    ASSERT_TRUE(same_output(bytes, bytes_ref));
    ASSERT_TRUE(row.intact());
    ASSERT_EQ(row.values(), row_ref.values());

    Guarded<int8_t> restored(c.shape.depth, 1);
    restore_row(bytes.data(), c.shape.depth, -c.shape.max_code, restored.data());
    ASSERT_TRUE(restored.intact());
    ASSERT_EQ(restored.values(), std::vector<int8_t>(in.codes.begin(), in.codes.begin() + c.shape.depth));
  }
}

// Sums over levels in double, from the grids' own definition: binds the reference.
TEST(IntGemmFormula, StandsForSumsOverLevels) {
  for (const Grid& input : {Grid{GridKind::kMidrise, 4}, Grid{GridKind::kInt, 8}, Grid{GridKind::kMidrise, 8}})
    for (const Grid& weight : {Grid{GridKind::kMidrise, 4}, Grid{GridKind::kInt, 4}, Grid{GridKind::kBinary, 1}}) {
      constexpr int64_t kDepth = 96;
      const int doubled_in = input.offset() != 0 ? 2 : 1, doubled_w = weight.offset() != 0 ? 2 : 1;
      const IntGemmCase c{
          "levels", 3, {5, kDepth, kDepth, doubled_in / 2 + doubled_w / 2, input.level_count() - 1, -weight.lo()}};
      IntGemmInput in(
          c, [&](int64_t r, int64_t k) { return static_cast<uint8_t>((r * 5 + k * 7) % input.level_count()); },
          [&](int64_t o, int64_t k) {
            return static_cast<int8_t>((o * 3 + k * 11) % weight.level_count() + weight.lo());
          });
      // level_in = (m b + a) / m with b the byte, level_w = stride (m' c + a') / m'.
      const int a = doubled_in * input.lo() + doubled_in - 1, a_w = doubled_w - 1;
      for (int64_t r = 0; r < 3; ++r) {
        int32_t bytes = 0;
        for (int64_t k = 0; k < kDepth; ++k) bytes += in.bytes[static_cast<size_t>(r * padded_depth(kDepth) + k)];
        in.row_terms[static_cast<size_t>(r)] = a_w * doubled_in * bytes + a_w * a * static_cast<int32_t>(kDepth);
      }
      for (int32_t& sum : in.panel_terms) sum *= a * doubled_w;
      std::vector<float> got(15);
      in.row_scales.assign(3, 1.0f);
      in.panel_scales.assign(16, weight.stride() / static_cast<float>(doubled_in * doubled_w));
      in.rows.scales = in.row_scales.data();
      in.weights.scales = in.panel_scales.data();
      reference::int_gemm(in.rows, in.weights, c.shape, whole(c), got.data());
      for (int64_t r = 0; r < 3; ++r)
        for (int64_t o = 0; o < 5; ++o) {
          double sum = 0;
          for (int64_t k = 0; k < kDepth; ++k)
            sum += double{input.level(in.bytes[static_cast<size_t>(r * padded_depth(kDepth) + k)] + input.lo())} *
                   weight.level(in.codes[static_cast<size_t>(o * kDepth + k)]);
          EXPECT_EQ(got[static_cast<size_t>(r * 5 + o)], sum) << input.name() << " " << weight.name();
        }
    }
}

}  // namespace
}  // namespace detent::kernels
