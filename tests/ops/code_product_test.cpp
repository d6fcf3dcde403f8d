// Products with packed codes against ops::linear over the values of the codes, which is bound to its own reference.
#include "detent/ops/code_product.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "detent/ops/fake_quant.h"
#include "detent/ops/product.h"

namespace detent::ops {
namespace {

struct Weight {
  FakeQuantResult quantized;
  at::Tensor values;
  std::optional<PackedCodes> packed;

  Weight(const QuantSpec& spec, int64_t outputs, int64_t depth)
      : quantized(fake_quant(at::randn({outputs, depth}), {}, spec, pass_through(), {.value = false, .codes = true})),
        values(dequantize_codes(quantized.codes, quantized.scales, spec)),
        packed(PackedCodes::make(quantized.codes, quantized.scales, spec.grid)) {}
};

QuantSpec spec_of(const char* grid, int bits, const char* granularity, ScaleRule rule = ScaleRule::kAbsmax) {
  return {make_grid(grid, bits), parse_granularity(granularity), rule};
}

std::vector<QuantSpec> specs() {
  return {spec_of("int", 4, "32"), spec_of("int", 8, "row"), spec_of("midrise", 3, "tensor", ScaleRule::kRms),
          spec_of("ternary", 2, "64", ScaleRule::kMean), spec_of("binary", 1, "row", ScaleRule::kMean)};
}

class CodeProduct : public ::testing::Test {
 protected:
  void SetUp() override {
    at::manual_seed(1);
    if (!has_product(at::zeros({16, 1}), at::zeros({1, 1}))) GTEST_SKIP() << "no fused multiply-adds";
  }
};

// Each row is a chain of its own, so that few rows have the bits that they have among many.
TEST_F(CodeProduct, HasTheBitsOfTheProductOfValuesForAnyNumberOfRows) {
  for (const QuantSpec& spec : specs())
    for (int64_t outputs : {7, 53, 600}) {
      const Weight w(spec, outputs, 192);
      const at::Tensor x = at::randn({1100, 192}), all = ops::linear(x, w.values);
      for (int64_t rows : {0, 1, 2, 3, 4, 7, 15, 16, 47, 48, 100, 512, 513, 1100})
        EXPECT_TRUE(at::equal(w.packed->product(x.narrow(0, 0, rows)), all.narrow(0, 0, rows)))
            << spec.name() << ", " << rows << " rows, " << outputs << " outputs";
    }
}

TEST_F(CodeProduct, HasTheSameBitsOnAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  for (const auto& [rows, depth] :
       {std::pair<int64_t, int64_t>{1, 320}, {5, 320}, {40, 320}, {700, 320}, {40, 1664}, {700, 1664}}) {
    const Weight w(spec_of("int", 4, "32"), 1111, depth);
    const at::Tensor x = at::randn({rows, depth});
    at::set_num_threads(1);
    const at::Tensor alone = w.packed->product(x);
    for (int threads : {2, 3, 6}) {
      at::set_num_threads(threads);
      EXPECT_TRUE(at::equal(w.packed->product(x), alone)) << threads << " threads, " << rows << " rows";
    }
  }
  at::set_num_threads(before);
}

TEST_F(CodeProduct, TakesAnyShapeAndStridesOfInputs) {
  const Weight w(spec_of("int", 4, "32"), 40, 64);
  const at::Tensor x = at::randn({3, 64, 9}).transpose(1, 2);
  const at::Tensor got = w.packed->product(x);
  EXPECT_EQ(got.sizes(), at::IntArrayRef({3, 9, 40}));
  EXPECT_TRUE(at::equal(got, ops::linear(x, w.values)));
}

TEST_F(CodeProduct, RefusesWhatItCannotMultiply) {
  const Weight w(spec_of("int", 4, "32"), 40, 64);
  EXPECT_ANY_THROW(w.packed->product(at::zeros({2, 63})));
  EXPECT_ANY_THROW(w.packed->product(at::zeros({2, 64}, at::kDouble)));
  const at::Tensor codes = w.quantized.codes, scales = w.quantized.scales;
  EXPECT_FALSE(PackedCodes::make(codes, scales, make_grid("e2m1", 4)));
  EXPECT_ANY_THROW(PackedCodes::make(codes, scales.narrow(0, 0, 39), make_grid("int", 4)));
  EXPECT_ANY_THROW(PackedCodes::make(codes, at::zeros({40, 3}), make_grid("int", 4)));
}

TEST_F(CodeProduct, TakesAnEighthOfTheMemoryAndItsScales) {
  const Weight w(spec_of("int", 4, "32"), 64, 128);
  EXPECT_EQ(w.packed->bytes(), 64 * 128 / 2 + 64 * 4 * 4);
}

}  // namespace
}  // namespace detent::ops
