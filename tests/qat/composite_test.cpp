// What another device runs, run on the CPU: the composites against the kernels, over every method and spec. They are
// the same formulas in ATen's operations, so all bits agree but those of sums, which are in double in another order.
#include "detent/ops/composite.h"

#include <gtest/gtest.h>

#include "detent/kernels/fake_quant/fake_quant.h"
#include "detent/ops/device.h"
#include "detent/optim/optimizer.h"
#include "tests/support/bits.h"
#include "tests/support/special_floats.h"
#include "tests/support/subjects.h"

namespace detent {
namespace {

using ops::FakeQuantResult;
using test::all_specs;
using test::all_subjects;
using test::gaussian;
using test::kInfinity;
using test::kNan;
using test::same_bits;
using test::Subject;
using test::worst_ulps;

bool sums(ScaleRule rule) { return rule == ScaleRule::kRms || rule == ScaleRule::kMean; }

at::Tensor row_of(const std::vector<float>& repeated) {
  at::Tensor row = at::empty({1, 96});
  for (int64_t i = 0; i < row.numel(); ++i) row.data_ptr<float>()[i] = repeated[i % repeated.size()];
  return row;
}

// The raw parameters of learned scales: of both signs, and one below the floor.
at::Tensor learned_parameters(const Subject& subject, const at::Tensor& x) {
  at::Tensor raw = gaussian(scale_shape(x.sizes(), subject.spec), 5, 0.02f);
  raw.view(-1)[0] = 1e-9f;
  return raw;
}

at::Tensor bits_of(const at::Tensor& mask, at::IntArrayRef shape) {
  at::Tensor all = at::zeros(shape, at::kBool);
  const int64_t columns = shape.back();
  for (int64_t i = 0; i < all.numel(); ++i)
    all.data_ptr<bool>()[i] =
        mask.data_ptr<uint8_t>()[i / columns * kernels::mask_bytes(columns) + i % columns / 8] >> i % columns % 8 & 1;
  return all;
}

void expect_the_same(const Subject& subject, const at::Tensor& x) {
  const kernels::Surrogate surrogate = subject.method->surrogate(subject.spec);
  constexpr ops::FakeQuantWants kAll{true, true, true};
  at::Tensor given;
  if (subject.learned()) {
    const at::Tensor raw = learned_parameters(subject, x);
    given = ops::learned_scales(raw, subject.spec);
    ASSERT_TRUE(same_bits(ops::composite::learned_scales(raw, subject.spec), given));
  }
  const FakeQuantResult expected = ops::fake_quant(x, given, subject.spec, surrogate, kAll);
  const FakeQuantResult found = ops::composite::fake_quant(x, given, subject.spec, surrogate, kAll);
  ASSERT_EQ(found.scales.sizes(), expected.scales.sizes());
  ASSERT_LE(worst_ulps(found.scales, expected.scales), sums(subject.spec.scale_rule) ? 1 : 0);
  const FakeQuantResult same = ops::composite::fake_quant(x, expected.scales, subject.spec, surrogate, kAll);
  ASSERT_TRUE(same_bits(same.value, expected.value));
  ASSERT_TRUE(at::equal(same.codes, expected.codes));
  ASSERT_TRUE(at::equal(same.mask, bits_of(expected.mask, x.sizes())));
}

TEST(Composites, ScalesCodesValuesAndMasks) {
  for (const Subject& subject : all_subjects()) {
    SCOPED_TRACE(subject.name());
    expect_the_same(subject, gaussian({4, 96}, 1));
  }
}

TEST(Composites, HostileInputs) {
  at::Tensor bad = gaussian({5, 96}, 2);
  bad[0][3] = kNan, bad[1][40] = kInfinity, bad[2][95] = -kInfinity, bad[3].fill_(kNan);
  std::vector<at::Tensor> rows;
  for (const std::vector<float>& row : std::vector<std::vector<float>>{{0},
                                                                       {-0.0f},
                                                                       {0.37f},
                                                                       {-0.37f},
                                                                       {1e-40f, -3e-41f},
                                                                       {std::numeric_limits<float>::denorm_min()},
                                                                       {1e-30f, -2e-30f},
                                                                       {1e36f, -3e36f},
                                                                       {0.5f, -0.5f, 1.5f, 2.5f, -3.5f, 1, -1, 0}})
    rows.push_back(row_of(row));
  const at::Tensor finite = at::cat(rows);
  for (const Subject& subject : all_specs()) {
    SCOPED_TRACE(subject.name());
    expect_the_same(subject, bad);
    expect_the_same(subject, finite);
  }
}

TEST(Composites, TwoLevelScales) {
  at::Tensor scales = gaussian({7, 20}, 3);  // a super-block of eight groups of 32, and a part of one at the end
  scales[0].fill_(0), scales[1].mul_(1e30), scales[2].mul_(1e-30), scales[3][5] = kNan, scales[4].abs_();
  scales[5].fill_(-1);
  QuantSpec spec{make_grid("int", 4), parse_granularity("32")};
  for (const char* format : {"q2_k", "q3_k", "q4_k", "fp32", "fp16", "fp16_bf16", "e8m0"}) {
    SCOPED_TRACE(format);
    spec.scale_format = parse_scale_format(format);
    at::Tensor expected = scales.clone();
    for (int64_t row = 0; row < scales.size(0); ++row)
      round_row_scales({expected.data_ptr<float>() + row * 20, 20}, 32, spec.scale_format);
    EXPECT_TRUE(same_bits(ops::composite::round_scales(scales, spec), expected));
  }
}

// Every scale from the smallest number to the largest, and what lies at the middles between two.
TEST(Composites, FormatsRoundEveryMagnitude) {
  std::vector<float> all = {0.0f, -0.0f, kInfinity, -kInfinity, kNan, 65504, 65519, 65520, 65536, 65280, 65408};
  for (int exponent = -149; exponent < 128; ++exponent)
    for (const float mantissa : {1.0f, 1.25f, 1.4999999f, 1.5f, 1.5000001f, 1.9999999f})
      all.push_back(std::ldexp(mantissa, exponent));
  const at::Tensor scales = at::tensor(all).view({1, -1});
  QuantSpec spec;
  for (const char* format : {"fp32", "fp16", "fp16_bf16", "e8m0"}) {
    SCOPED_TRACE(format);
    spec.scale_format = parse_scale_format(format);
    at::Tensor expected = scales.clone();
    for (int64_t i = 0; i < scales.numel(); ++i)
      expected.data_ptr<float>()[i] = round_scale(scales.data_ptr<float>()[i], spec.scale_format);
    EXPECT_TRUE(same_bits(ops::composite::round_scales(scales, spec), expected));
  }
}

TEST(Composites, Gradients) {
  const at::Tensor x = gaussian({4, 96}, 1), g = gaussian({4, 96}, 4, 1);
  for (const Subject& subject : all_subjects()) {
    SCOPED_TRACE(subject.name());
    const QuantSpec& spec = subject.spec;
    const kernels::Surrogate surrogate = subject.method->surrogate(spec);
    if (subject.learned()) {
      const at::Tensor scales = ops::learned_scales(learned_parameters(subject, x), spec);
      const auto expected = ops::learned_backward(x, g, scales, spec, surrogate);
      const auto found = ops::composite::learned_backward(x, g, scales, spec, surrogate);
      ASSERT_TRUE(same_bits(found.dx, expected.dx));
      ASSERT_EQ(found.dscale.sizes(), expected.dscale.sizes());
      ASSERT_LT(test::relative_error(found.dscale, expected.dscale), 1e-6);
    } else {
      const at::Tensor mask = ops::fake_quant(x, {}, spec, surrogate, {false, false, true}).mask;
      ASSERT_TRUE(same_bits(ops::composite::masked_backward(g, bits_of(mask, x.sizes()), spec),
                            ops::masked_backward(g, mask, spec)));
    }
  }
}

TEST(Composites, DequantizedCodes) {
  const at::Tensor x = gaussian({4, 96}, 1);
  for (const Subject& subject : all_specs()) {
    if (subject.learned()) continue;
    SCOPED_TRACE(subject.name());
    const Quantized q = quantize(x, subject.spec);
    ASSERT_TRUE(same_bits(ops::composite::dequantize_codes(q.codes, q.scales, q.spec), dequantize(q)));
  }
}

TEST(Composites, RotationAndNoise) {
  for (const int64_t columns : {1, 2, 6, 96, 128, 384, 1000}) {
    const at::Tensor x = gaussian({3, columns}, 6, 1);
    EXPECT_TRUE(same_bits(ops::composite::hadamard(x), ops::hadamard(x))) << columns;
  }
  const at::Tensor x = gaussian({5, 7, 11}, 7);
  const RandomStream stream{3, 4, 5};
  EXPECT_TRUE(same_bits(ops::composite::add_gaussian(x, 1e-3f, stream), ops::add_gaussian(x, 1e-3f, stream)));
}

// Steps with every kind of pull, towards every kind of target.
struct Stepped {
  at::Tensor w;
  std::map<std::string, at::Tensor> moments;
  GridDistance distance;
};

Stepped stepped(const Subject& subject, const OptimizerOptions& options, const PullTerms& pull) {
  const at::NoGradGuard guard;
  const at::Tensor w = gaussian({4, 96}, 1);
  test::Rig rig(subject, w);
  auto optimizer = make_optimizer(options, {{"w", w, 0.1, 1, make_quantized_target(rig.quantizer)}});
  for (int64_t t = 1; t <= 3; ++t) {
    optimizer->parameters()[0].value.mutable_grad() = gaussian({4, 96}, 10 + static_cast<uint64_t>(t), 1);
    optimizer->step(t, 1e-2, 0.7, pull);
  }
  pull_towards(w, *optimizer->parameters()[0].target, 0.3);
  return {w, optimizer->state(), distance_to_target(w, *optimizer->parameters()[0].target)};
}

// Elements that do not agree within the bound, in units of the largest; one that is not a number agrees with none.
int64_t far_apart(const at::Tensor& a, const at::Tensor& b, double bound) {
  return (a - b).abs().le(b.abs().max() * bound).logical_not().sum().item<int64_t>();
}

TEST(Composites, OptimizerSteps) {
  std::vector<OptimizerOptions> optimizers(4);
  for (size_t i = 1; i < 4; ++i) optimizers[i].name = "sgd";
  optimizers[1].momentum = 0;
  optimizers[3].nesterov = true;
  for (const Subject& subject : all_specs()) {
    const QuantSpec& spec = subject.spec;
    if (spec.scale_format != ScaleFormat::kFp32 || sums(spec.scale_rule) || spec.grid.bits > 3) continue;
    for (const OptimizerOptions& options : optimizers) {
      // LibTorch does not round all of adamw's roots right, and a code that falls the other way for it takes a whole
      // block with it where weights are rotated.
      const bool exact = options.name == "sgd";
      if (!exact && spec.rotation != Rotation::kNone) continue;
      const double bound = exact ? 0 : 1e-6;
      const int64_t flips = exact ? 0 : 2;
      for (const PullTerms& pull : {PullTerms{}, PullTerms{7, 0}, PullTerms{0, 0.5}}) {
        SCOPED_TRACE(subject.name() + " " + options.name);
        const Stepped expected = stepped(subject, options, pull);
        const ops::CompositesOnly composites;
        const Stepped found = stepped(subject, options, pull);
        for (const auto& [name, moment] : expected.moments)
          ASSERT_LE(far_apart(found.moments.at(name), moment, bound), flips);
        ASSERT_LE(far_apart(found.w, expected.w, bound), flips);
        if (flips > 0) continue;
        ASSERT_NEAR(found.distance.squared_error, expected.distance.squared_error,
                    1e-6 * expected.distance.squared_norm);
        ASSERT_NEAR(found.distance.squared_norm, expected.distance.squared_norm, 1e-6 * expected.distance.squared_norm);
      }
    }
  }
}

TEST(Composites, NormsOfGradients) {
  std::vector<OptimizedParameter> parameters;
  for (uint64_t i = 0; i < 3; ++i) {
    parameters.push_back({"w", gaussian({7, 33}, i), 0, 1, nullptr});
    parameters.back().value.mutable_grad() = gaussian({7, 33}, 20 + i, 3);
  }
  const double expected = gradient_norm(parameters);
  const ops::CompositesOnly composites;
  EXPECT_NEAR(gradient_norm(parameters), expected, 1e-12 * expected);
}

// What no kernel can read is never given to one: neither what lies elsewhere (on the device `meta`, which has no memory
// at all), nor, in these tests, what is to go by composites.
TEST(Composites, KernelsAreNotHandedWhatTheyCannotRead) {
  const at::Tensor here = gaussian({4, 96}, 1), elsewhere = here.to(at::kMeta);
  EXPECT_TRUE(ops::hadamard(elsewhere).is_meta());
  EXPECT_TRUE(ops::add_gaussian(elsewhere, 1, {}).is_meta());
  EXPECT_THROW(ops::check_float_rows(elsewhere, "test"), Error);
  ops::check_float_rows(here, "test");
  const ops::CompositesOnly composites;
  EXPECT_THROW(ops::check_float_rows(here, "test"), Error);
}

}  // namespace
}  // namespace detent
