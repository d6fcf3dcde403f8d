// Float products: bit-equal to the reference on every instruction set, over shapes around tiles and blocks, both
// layouts of both operands, parts, and hostile values; and exact where every sum is a whole number that a float holds.
#include "detent/kernels/float_gemm/float_gemm.h"

#include <array>

#include "detent/kernels/harness/inputs.h"
#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

using test::Guarded;
using test::same_output;

DETENT_KERNEL_TEST(FloatGemm);

struct Operand {
  Guarded<float> values;
  FloatLines lines;

  // Lines of `depth` elements, or transposed, with `gap` unused elements after each row of memory.
  Operand(std::vector<float> entries, int64_t count, int64_t depth, bool transposed, int64_t gap, int offset)
      : values(std::move(entries), offset),
        lines{values.data(), transposed ? 1 : depth + gap, transposed ? count + gap : 1} {}
};

std::vector<float> entries(int64_t count, int64_t depth, bool transposed, int64_t gap, uint64_t seed) {
  return gaussian_values(transposed ? depth * (count + gap) : count * (depth + gap), seed);
}

struct Case {
  int64_t rows, columns, depth;
  FloatGemmPart part() const { return {0, rows, 0, columns}; }
};

// Around tiles of 6 and 12 rows, 8, 16 and 32 columns; around blocks of 48 rows, 768 elements and 768 columns.
std::vector<Case> cases() {
  std::vector<Case> all = {{97, 33, 70}, {11, 800, 40}, {13, 17, 1030}, {100, 800, 530},
                           {25, 3, 0},   {0, 5, 4},     {5, 0, 4}};
  for (int64_t rows : {1, 5, 6, 7, 12, 13, 25})
    for (int64_t columns : {1, 7, 8, 16, 17, 32, 33, 65})
      for (int64_t depth : {1, 3, 4, 19}) all.push_back({rows, columns, depth});
  for (int64_t depth : {767, 768, 769, 771, 1537}) all.push_back({14, 34, depth});
  for (int64_t columns : {96, 128, 129})  // around those for which rows are not packed, over blocks of rows
    for (int64_t rows : {49, 60, 97}) all.push_back({rows, columns, 19});
  return all;
}

void check(const Case& c, bool left_transposed, bool right_transposed, const std::vector<float>& hostile) {
  SCOPED_TRACE(::testing::Message() << c.rows << " x " << c.columns << " x " << c.depth << ", transposed "
                                    << left_transposed << right_transposed);
  const auto made = [&](int64_t count, bool transposed, uint64_t seed, int period) {
    std::vector<float> x = entries(count, c.depth, transposed, 3, seed);
    return hostile.empty() ? x : with_hostile_values(std::move(x), hostile, period);
  };
  const Operand left(made(c.rows, left_transposed, 1, 67), c.rows, c.depth, left_transposed, 3, 1),
      right(made(c.columns, right_transposed, 2, 131), c.columns, c.depth, right_transposed, 3, 5);
  const int64_t stride = c.columns + 2;
  Guarded<float> out(c.rows * stride, 3), expected(c.rows * stride, 3);
  float_gemm(left.lines, right.lines, c.depth, c.part(), out.data(), stride);
  reference::float_gemm(left.lines, right.lines, c.depth, c.part(), expected.data(), stride, float_gemm_fuses());
  ASSERT_TRUE(same_output(out, expected));
}

TEST_P(FloatGemm, EqualsItsReference) {
  for (const Case& c : cases())
    for (bool left : {false, true})
      for (bool right : {false, true}) {
        check(c, left, right, {});
        if (HasFatalFailure()) return;
      }
}

TEST_P(FloatGemm, CarriesHostileValuesAsItsReference) {
  for (const Case& c : {Case{13, 33, 70}, Case{25, 17, 300}})
    for (bool left : {false, true})
      for (bool right : {false, true})
        for (const std::vector<float>& values : {finite_extremes(), non_finite()}) {
          check(c, left, right, values);
          if (HasFatalFailure()) return;
        }
}

// A part is as it is in the whole, and what lies outside it is left alone.
TEST_P(FloatGemm, PartsMakeTheWhole) {
  const Case c{50, 70, 600};
  const Operand left(entries(c.rows, c.depth, false, 0, 1), c.rows, c.depth, false, 0, 0),
      right(entries(c.columns, c.depth, false, 0, 2), c.columns, c.depth, false, 0, 0);
  Guarded<float> whole(c.rows * c.columns, 0), parts(c.rows * c.columns, 0);
  float_gemm(left.lines, right.lines, c.depth, c.part(), whole.data(), c.columns);
  for (const auto& [first, last] : {std::array<int64_t, 2>{0, 7}, {7, 31}, {31, 50}})
    for (const auto& [begin, end] : {std::array<int64_t, 2>{0, 16}, {16, 17}, {17, 70}}) {
      const std::vector<float> before = parts.values();
      float_gemm(left.lines, right.lines, c.depth, {first, last, begin, end}, parts.data(), c.columns);
      for (int64_t i = 0; i < c.rows * c.columns; ++i) {
        const int64_t row = i / c.columns, column = i % c.columns;
        const bool inside = row >= first && row < last && column >= begin && column < end;
        ASSERT_TRUE(test::same(parts.data()[i], inside ? whole.data()[i] : before[static_cast<size_t>(i)]));
      }
    }
  EXPECT_TRUE(same_output(parts, whole));
}

TEST_P(FloatGemm, IsExactInWholeNumbers) {
  const Case c{31, 45, 700};
  const auto whole = [](int64_t line, int64_t k) { return (line * 31 + k * 17 + k * k) % 41 - 20; };
  std::vector<float> left, right;
  for (int64_t i = 0; i < c.rows; ++i)
    for (int64_t k = 0; k < c.depth; ++k) left.push_back(static_cast<float>(whole(i, k)));
  for (int64_t j = 0; j < c.columns; ++j)
    for (int64_t k = 0; k < c.depth; ++k) right.push_back(static_cast<float>(whole(j + 100, k)));
  std::vector<float> out(static_cast<size_t>(c.rows * c.columns));
  float_gemm({left.data(), c.depth, 1}, {right.data(), c.depth, 1}, c.depth, c.part(), out.data(), c.columns);
  for (int64_t i = 0; i < c.rows; ++i)
    for (int64_t j = 0; j < c.columns; ++j) {
      int64_t sum = 0;
      for (int64_t k = 0; k < c.depth; ++k) sum += whole(i, k) * whole(j + 100, k);
      ASSERT_EQ(out[static_cast<size_t>(i * c.columns + j)], static_cast<float>(sum)) << i << ", " << j;
    }
}

}  // namespace
}  // namespace detent::kernels
