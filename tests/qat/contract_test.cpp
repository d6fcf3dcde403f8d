// What every quantizer promises, for every surrogate on every spec that the configuration accepts: training and
// evaluation see the stored value, codes are the nearest levels, and the quantizer has the symmetries of its grid.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/bits.h"
#include "tests/support/subjects.h"

namespace detent {
namespace {

using test::all_specs;
using test::all_subjects;
using test::gaussian;
using test::Rig;
using test::same_bits;
using test::Subject;

// Four rows of 96: a Hadamard block of 32 and groups of 32; one outlier, and rows of different sizes.
at::Tensor weights() {
  at::Tensor x = gaussian({4, 96}, 11) * at::tensor({1.0f, 0.3f, 2.0f, 5.0f}).view({4, 1});
  x[2][40] = 1.5;
  return x;
}

TEST(Contract, EnoughIsAccepted) {
  EXPECT_GE(all_subjects().size(), 4000u);
  EXPECT_GE(all_specs().size(), 2500u);
  std::map<std::string, int> count;
  for (const Subject& s : all_subjects())
    for (const std::string& part :
         {s.surrogate + s.options, s.spec.grid.name(), scale_rule_name(s.spec.scale_rule),
          scale_format_name(s.spec.scale_format), rotation_name(s.spec.rotation), s.spec.granularity.name()})
      ++count[part];
  for (const std::string& name : surrogate_names()) EXPECT_GE(count[name + "{}"], 27) << name;
  for (const auto& name : scale_rule_names()) EXPECT_GE(count[name], 100) << name;
  for (const char* grid :
       {"int2", "int8", "int_high2", "int_high7", "midrise1", "midrise8", "ternary", "binary", "e2m1"})
    EXPECT_GE(count[grid], 27) << grid;
  RecordProperty("subjects", std::to_string(all_subjects().size()));
  RecordProperty("specs", std::to_string(all_specs().size()));
}

TEST(Contract, EveryForwardIsTheStoredValue) {
  const at::Tensor x = weights();
  for (const Subject& subject : all_subjects()) {
    SCOPED_TRACE(subject.name());
    Rig rig(subject, x);
    const at::Tensor stored = dequantize(rig.codes(x));
    ASSERT_TRUE(same_bits(rig.quantizer->plain_value(x), stored));
    for (const bool training : {false, true}) {
      rig.phase->training = training;
      const at::Tensor leaf = x.clone().set_requires_grad(true);
      ASSERT_TRUE(same_bits(rig.quantizer->weight_value(leaf), stored));
      ASSERT_TRUE(same_bits(rig.quantizer->input_value(leaf), stored));
    }
  }
}

TEST(Contract, StridedInputsGiveTheSameValues) {
  const at::Tensor x = weights(), strided = x.t().contiguous().t();
  ASSERT_FALSE(strided.is_contiguous());
  for (const Subject& subject : all_specs()) {
    SCOPED_TRACE(subject.name());
    Rig rig(subject, x);
    for (const bool training : {false, true}) {
      rig.phase->training = training;
      ASSERT_TRUE(same_bits(rig.quantizer->weight_value(strided), rig.quantizer->weight_value(x)));
    }
  }
}

// Brute force over all levels, in double, at the scale as stored. A float quotient may round across a tie.
TEST(Contract, CodesAreTheNearestLevels) {
  const at::Tensor x = weights();
  for (const Subject& subject : all_specs()) {
    SCOPED_TRACE(subject.name());
    const Grid& grid = subject.spec.grid;
    const Quantized q = Rig(subject, x).codes(x);
    const at::Tensor target = test::basis(x, subject.spec).to(at::kDouble);
    const at::Tensor scale = test::spread(q.scales, x.sizes()).to(at::kDouble);
    at::Tensor nearest = at::full_like(target, INFINITY);
    for (int code = grid.lo(); code <= grid.hi(); ++code)
      nearest = at::minimum(nearest, (target - scale * grid.level(code)).abs());
    const at::Tensor codes = q.codes.to(at::kDouble);
    ASSERT_TRUE(((codes >= grid.lo()) & (codes <= grid.hi())).all().item<bool>());
    const at::Tensor mine = (target - scale * test::levels(q.codes, grid)).abs();
    ASSERT_TRUE((mine <= nearest + 2e-7 * (target.abs() + scale.abs())).all().item<bool>());
  }
}

// Values are their own codes: quantizing them again at the same scale changes nothing.
TEST(Contract, IdempotentAtAFixedScale) {
  const at::Tensor x = weights();
  for (const Subject& subject : all_specs()) {
    SCOPED_TRACE(subject.name());
    const QuantSpec& spec = subject.spec;
    const Quantized q = Rig(subject, x).codes(x);
    const at::Tensor value = dequantize(q);
    const at::Tensor latent = spec.rotation == Rotation::kHadamardHalf ? ops::hadamard(value) : value;
    const auto again = ops::fake_quant(latent, q.scales, spec, ops::pass_through(), {.codes = true});
    ASSERT_TRUE(at::equal(again.codes, q.codes));
    ASSERT_TRUE(same_bits(again.value, value));
  }
}

TEST(Contract, MonotoneAtAFixedScale) {
  const at::Tensor sweep = at::linspace(-3, 3, 1024).view({1, 1024});
  std::set<std::string> seen;
  for (const Subject& subject : all_specs()) {
    QuantSpec spec = subject.spec;
    spec.granularity = parse_granularity("row");
    spec.rotation = Rotation::kNone;
    if (!seen.insert(spec.name()).second) continue;
    SCOPED_TRACE(spec.name());
    for (const double sign : {1.0, -1.0}) {
      const at::Tensor scale = at::full({1, 1}, sign * 2 / spec.grid.level_count());
      const at::Tensor value = ops::fake_quant(sweep, scale, spec, ops::pass_through(), {}).value;
      ASSERT_TRUE((value.diff() >= 0).all().item<bool>());
      ASSERT_GE(std::get<0>(at::_unique(value)).numel(), spec.grid.level_count());
    }
  }
}

// Doubling is exact in floating point, so Q(2^k x) = 2^k Q(x) wherever the scale has no constant of its own.
TEST(Contract, PowersOfTwoPassThrough) {
  const at::Tensor x = weights();
  for (const Subject& subject : all_specs()) {
    SCOPED_TRACE(subject.name());
    if (subject.spec.scale_rule == ScaleRule::kRms && subject.spec.grid.kind == GridKind::kMidrise) continue;  // + 1e-8
    const Rig rig(subject, x);
    const Quantized q = rig.codes(x);
    for (const double factor : {2.0, 64.0}) {
      const at::Tensor learned = rig.quantizer->learned();
      const Quantized scaled = quantize(x * factor, subject.spec, learned.defined() ? learned * factor : learned);
      ASSERT_TRUE(at::equal(scaled.codes, q.codes));
      ASSERT_TRUE(same_bits(dequantize(scaled), dequantize(q) * factor));
    }
  }
}

bool is_odd(const QuantSpec& spec) {
  const bool symmetric = spec.grid.kind != GridKind::kInt && spec.grid.kind != GridKind::kIntHigh;
  // absmax keeps integer grids off their odd level; absmax_signed turns with the sign.
  return symmetric || spec.scale_rule == ScaleRule::kAbsmax || spec.scale_rule == ScaleRule::kAbsmaxSigned;
}

TEST(Contract, OddWhereTheGridIs) {
  const at::Tensor x = weights();
  int count = 0;
  for (const Subject& subject : all_specs()) {
    if (!is_odd(subject.spec)) continue;
    SCOPED_TRACE(subject.name());
    const Rig rig(subject, x);
    const at::Tensor turned = dequantize(rig.codes(-x));
    ASSERT_TRUE(at::equal(turned, -dequantize(rig.codes(x))));  // 0 == -0
    ++count;
  }
  EXPECT_GE(count, 1000);
}

}  // namespace
}  // namespace detent
