// Quantizers whose scales are rounded together: training and evaluation see the stored value, which a file can split
// into super-scale and integers again, and learned scales get the gradient of any other.
#include "detent/format/two_level.h"

#include <gtest/gtest.h>

#include "tests/support/bits.h"
#include "tests/support/subjects.h"

namespace detent {
namespace {

using test::gaussian;
using test::Rig;
using test::same_bits;
using test::Subject;

std::vector<Subject> subjects() {
  std::vector<Subject> all;
  for (const std::string& surrogate : surrogate_names())
    for (const char* grid : {"int", "midrise", "ternary"})
      for (const int64_t bits : {2, 3, 4})
        for (const std::string& scale : scale_rule_names())
          for (const char* rotation : {"none", "hadamard"})
            for (const char* format : {"q2_k", "q3_k", "q4_k"}) {
              TensorQuantOptions options{grid, bits, scale, rotation, "32", format, surrogate, "", {}};
              try {
                all.push_back({surrogate, "{}", to_spec(options, "quant"), nullptr});
              } catch (const Error&) {
                continue;
              }
              all.back().method = make_surrogate(surrogate, {});
            }
  return all;
}

at::Tensor weights() {
  return gaussian({3, 512}, 11) * at::tensor({1.0f, 0.01f, 20.0f}).view({3, 1}) *
         at::exp(at::linspace(-4, 0, 512)).view({1, 512});
}

TEST(TwoLevelQuantizers, EveryForwardIsTheStoredValue) {
  const at::Tensor x = weights();
  const std::vector<Subject> all = subjects();
  EXPECT_GE(all.size(), 100u);
  for (const Subject& subject : all) {
    SCOPED_TRACE(subject.name());
    Rig rig(subject, x);
    const at::Tensor stored = dequantize(rig.codes(x));
    ASSERT_TRUE(same_bits(rig.quantizer->plain_value(x), stored));
    rig.phase->training = true;
    const at::Tensor leaf = x.clone().set_requires_grad(true);
    ASSERT_TRUE(same_bits(rig.quantizer->weight_value(leaf), stored));
    rig.quantizer->weight_value(leaf).sum().backward();
    ASSERT_TRUE(leaf.grad().isfinite().all().item<bool>());
    if (subject.learned()) {
      ASSERT_GT(rig.quantizer->learned().grad().abs().sum().item<float>(), 0);
    }
  }
}

TEST(TwoLevelQuantizers, ScalesSplitIntoSuperScaleAndIntegers) {
  const at::Tensor x = weights();
  for (const Subject& subject : subjects()) {
    SCOPED_TRACE(subject.name());
    const at::Tensor scales = Rig(subject, x).codes(x).scales;
    const TwoLevel format = two_level(subject.spec.scale_format).value();
    ASSERT_EQ(scales.sizes(), at::IntArrayRef({3, 16}));
    for (int64_t i = 0; i < 6; ++i) {  // super-blocks of eight groups
      const std::span<const float> part(scales.const_data_ptr<float>() + i * 8, 8);
      std::vector<int> k(8);
      ASSERT_TRUE(split_scales(
          part, format, [&](float d) { return round_scale(d, format.super) == d; }, k))
          << i;
    }
  }
}

// The same row by row and all at once, on which CAGE's targets rely.
TEST(TwoLevelQuantizers, PullTargetsAreTheStoredValue) {
  const at::Tensor x = weights();
  for (const Subject& subject : subjects()) {
    if (!subject.learned()) continue;
    SCOPED_TRACE(subject.name());
    Rig rig(subject, x);
    const auto target = make_quantized_target(rig.quantizer);
    target->prepare(x);
    at::Tensor rows = at::empty_like(x);
    std::vector<float> scratch(512);
    for (int64_t row = 0; row < 3; ++row)
      target->target(row, x.const_data_ptr<float>() + row * 512, rows.mutable_data_ptr<float>() + row * 512,
                     scratch.data());
    ASSERT_TRUE(same_bits(rows, rig.quantizer->plain_value(x)));
  }
}

}  // namespace
}  // namespace detent
