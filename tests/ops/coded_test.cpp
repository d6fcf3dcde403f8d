// A linear layer on codes: what its codes stand for is bit-equal to the values of the plain path, and its result is
// their product up to the rounding of the scales.
#include "detent/ops/coded.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "detent/kernels/harness/dispatch.h"
#include "detent/ops/fake_quant.h"
#include "tests/support/bits.h"

namespace detent {
namespace {

using test::relative_error;
using test::same_bits;

constexpr int64_t kDepth = 96, kRows = 37, kOutputs = 21;

QuantSpec spec_of(const char* grid, int bits, const char* group, ScaleRule rule, Rotation rotation = Rotation::kNone) {
  QuantSpec spec{make_grid(grid, bits), parse_granularity(group), rule};
  spec.rotation = rotation;
  return spec;
}

std::vector<QuantSpec> specs(Rotation rotation) {
  std::vector<QuantSpec> all;
  for (const char* group : {"row", "32", "16", "48"}) {
    for (int bits : {2, 4, 8}) all.push_back(spec_of("int", bits, group, ScaleRule::kAbsmax, rotation));
    for (int bits : {1, 3, 4, 8}) all.push_back(spec_of("midrise", bits, group, ScaleRule::kRms, rotation));
    all.push_back(spec_of("int_high", 2, group, ScaleRule::kAbsmaxSigned, rotation));
    all.push_back(spec_of("ternary", 2, group, ScaleRule::kMean, rotation));
    all.push_back(spec_of("binary", 1, group, ScaleRule::kMean, rotation));
  }
  return all;
}

at::Tensor gaussian(std::vector<int64_t> shape, uint64_t seed) {
  return ops::add_gaussian(at::zeros(shape), 1.0f, {.seed = seed});
}

at::Tensor plain_value(const at::Tensor& x, const QuantSpec& spec, const at::Tensor& scales = {}) {
  return ops::fake_quant(x, scales, spec, ops::pass_through(), {}).value;
}

struct Product {
  ops::CodePair pair;
  ops::CodedRows rows;
  ops::CodedWeight weight;
  at::Tensor out;

  Product(const ops::CodePair& p, const at::Tensor& x, const at::Tensor& w)
      : pair(p),
        rows(ops::code_rows(pair, x, {}, ops::pass_through())),
        weight(ops::code_weight(pair, w, {}, ops::pass_through())),
        out(ops::int_linear(pair, rows, weight)) {}
};

// Each segment rounds its integer, its product with the scales and the running sum: at most 4 roundings of 2^-24 of
// what has been summed, which is never more than the sum of magnitudes.
at::Tensor bound(const at::Tensor& x, const at::Tensor& w, int64_t segments) {
  return x.abs().mm(w.abs().t()).mul(static_cast<double>(segments + 3) * 0x1p-24);
}

TEST(Coded, EveryPairOfSpecs) {
  int64_t pairs = 0;
  const at::Tensor x = gaussian({kRows, kDepth}, 1), w = gaussian({kOutputs, kDepth}, 2);
  for (Rotation rotation : {Rotation::kNone, Rotation::kHadamardHalf, Rotation::kHadamard})
    for (const QuantSpec& input : specs(rotation))
      for (const QuantSpec& weight : specs(rotation)) {
        const auto pair = ops::code_pair(input, weight, kDepth);
        if (!pair) continue;
        SCOPED_TRACE(input.name() + " times " + weight.name());
        const Product product(*pair, x, w);
        const at::Tensor xq = plain_value(x, pair->input), wq = plain_value(w, pair->weight);
        ASSERT_TRUE(same_bits(ops::row_values(*pair, product.rows), xq));
        ASSERT_TRUE(same_bits(ops::weight_values(*pair, product.weight), wq));
        const at::Tensor x64 = xq.to(at::kDouble), w64 = wq.to(at::kDouble);
        const at::Tensor error = (product.out.to(at::kDouble) - x64.mm(w64.t())).abs();
        ASSERT_TRUE(error.le(bound(x64, w64, kDepth / pair->segment)).all().item<bool>())
            << (error / bound(x64, w64, kDepth / pair->segment)).max().item<double>();
        // As the values that ship are multiplied, rotated back or not: they are rounded once or twice more.
        const at::Tensor shipped = plain_value(x, input).to(at::kDouble).mm(plain_value(w, weight).to(at::kDouble).t());
        ASSERT_LE(relative_error(product.out.to(at::kDouble), shipped), 2e-6);
        ++pairs;
      }
  EXPECT_GT(pairs, 1000);
}

TEST(Coded, ThreadsAndInstructionSetsDoNotMatter) {
  const at::Tensor x = gaussian({301, 128}, 3), w = gaussian({200, 128}, 4);
  for (const auto& [input, weight] :
       {std::pair{spec_of("midrise", 4, "row", ScaleRule::kRms), spec_of("midrise", 4, "row", ScaleRule::kRms)},
        std::pair{spec_of("int", 8, "row", ScaleRule::kAbsmax), spec_of("int", 4, "32", ScaleRule::kAbsmaxSigned)}}) {
    const auto pair = ops::code_pair(input, weight, 128);
    ASSERT_TRUE(pair);
    const at::Tensor expected = Product(*pair, x, w).out, few = Product(*pair, x.narrow(0, 0, 3), w).out;
    EXPECT_TRUE(same_bits(few, expected.narrow(0, 0, 3)));
    const int before = at::get_num_threads();
    for (int threads : {1, 2, 3, 7}) {
      at::set_num_threads(threads);
      EXPECT_TRUE(same_bits(Product(*pair, x, w).out, expected)) << threads;
      EXPECT_TRUE(same_bits(Product(*pair, x.narrow(0, 0, 3), w).out, few)) << threads;
    }
    at::set_num_threads(before);
    for (const kernels::DispatchTarget& target : kernels::dispatch_targets()) {
      const kernels::ForceTarget force(target);
      EXPECT_TRUE(same_bits(Product(*pair, x, w).out, expected)) << target.name;
    }
  }
}

TEST(Coded, PairsThatAreNoScaledSumsOfIntegers) {
  const QuantSpec row = spec_of("int", 4, "row", ScaleRule::kAbsmax),
                  group = spec_of("int", 4, "32", ScaleRule::kAbsmax),
                  other = spec_of("int", 4, "48", ScaleRule::kAbsmax),
                  tiny = spec_of("int", 4, "2", ScaleRule::kAbsmax),
                  half = spec_of("int", 4, "row", ScaleRule::kAbsmax, Rotation::kHadamardHalf),
                  back = spec_of("int", 4, "row", ScaleRule::kAbsmax, Rotation::kHadamard),
                  wide = spec_of("midrise", 8, "row", ScaleRule::kRms);
  EXPECT_TRUE(ops::code_pair(row, group, 96));
  EXPECT_TRUE(ops::code_pair(half, half, 96));
  EXPECT_FALSE(ops::code_pair(group, other, 96)) << "neither group divides the other";
  EXPECT_FALSE(ops::code_pair(row, tiny, 96)) << "a segment is a multiple of 4";
  EXPECT_TRUE(ops::code_pair(back, back, 96));
  EXPECT_FALSE(ops::code_pair(back, half, 96)) << "one value is rotated, the other is not";
  EXPECT_FALSE(ops::code_pair(back, row, 96));
  EXPECT_FALSE(ops::code_pair(row, half, 96));
  EXPECT_FALSE(ops::code_pair(row, spec_of("e2m1", 4, "row", ScaleRule::kAbsmax), 96)) << "levels are not codes";
  EXPECT_TRUE(ops::code_pair(wide, wide, 4096));
  EXPECT_FALSE(ops::code_pair(wide, wide, 1 << 16)) << "the sum leaves int32";
}

// The largest reduction that is accepted, with every product at its largest.
TEST(Coded, LargestSums) {
  const QuantSpec wide = spec_of("midrise", 8, "row", ScaleRule::kAbsmaxFull);
  int64_t depth = 4;
  while (ops::code_pair(wide, wide, depth * 2)) depth *= 2;
  const at::Tensor ones = at::ones({4, depth});
  for (const double sign : {1.0, -1.0}) {
    const Product product(*ops::code_pair(wide, wide, depth), ones, ones.mul(sign));
    EXPECT_LE((product.out - sign * static_cast<double>(depth)).abs().max().item<double>(),
              1e-6 * static_cast<double>(depth));
  }
}

// Codes alone would turn a NaN under a given scale into a number.
TEST(Coded, NanIsKept) {
  QuantSpec given = spec_of("int", 4, "tensor", ScaleRule::kLearned);
  const QuantSpec weight = spec_of("int", 4, "row", ScaleRule::kLearned);
  const auto pair = ops::code_pair(given, weight, kDepth);
  ASSERT_TRUE(pair);
  at::Tensor x = gaussian({5, kDepth}, 1), w = gaussian({kOutputs, kDepth}, 2);
  x[2][17] = NAN;
  w[3][90] = NAN;
  const auto rows = ops::code_rows(*pair, x, at::full({1, 1}, 0.3f), ops::pass_through());
  const auto coded = ops::code_weight(*pair, w, at::full({kOutputs, 1}, 0.2f), ops::pass_through());
  const at::Tensor nan = ops::int_linear(*pair, rows, coded).isnan();
  EXPECT_TRUE(nan[2].all().item<bool>());
  EXPECT_TRUE(nan.select(1, 3).all().item<bool>());
  EXPECT_EQ(nan.sum().item<int64_t>(), kOutputs + 5 - 1);
}

}  // namespace
}  // namespace detent
