// Gradients of the surrogates, through the autograd path of a training forward, against the numpy restatement of the
// papers' formulas (tests/golden/quantizers.safetensors).
#include <gtest/gtest.h>

#include <map>

#include "detent/ops/fake_quant.h"
#include "detent/qat/fake_quant_function.h"
#include "detent/qat/quantizer_rule.h"
#include "tests/support/bits.h"
#include "tests/support/golden.h"

namespace detent {
namespace {

using nlohmann::json;
using test::golden_spec;
using test::is_kind;
using test::relative_error;

const test::Golden& golden() {
  static const test::Golden file("quantizers.safetensors");
  return file;
}

std::shared_ptr<const SurrogateMethod> surrogate(const std::string& golden_name) {
  static const std::map<std::string, std::pair<std::string, std::string>> names = {
      {"ste", {"ste", "{}"}},     {"trust", {"trust", "{}"}},
      {"clip_1", {"clip", "{}"}}, {"clip_1.3", {"clip", "{factor: 1.3}"}},
      {"lsq", {"lsq", "{}"}},     {"seq", {"seq", "{}"}},
      {"sign", {"binary", "{}"}}, {"seq_quirk", {"seq", "{saturated: one}"}}};
  const auto& [name, options] = names.at(golden_name);
  return make_surrogate(name, parse_yaml(options, "golden"));
}

std::shared_ptr<TensorQuantizer> training_quantizer(const QuantSpec& spec, const std::string& method) {
  const auto phase = std::make_shared<Phase>();
  phase->training = true;
  return std::make_shared<TensorQuantizer>("w", spec, surrogate(method), phase, 0);
}

// Gradient of x in a training forward, and the value.
struct Passed {
  at::Tensor value, dx;
};
Passed pass(TensorQuantizer& quantizer, const at::Tensor& x, const at::Tensor& g) {
  const at::Tensor leaf = x.clone().set_requires_grad(true);
  const at::Tensor value = quantizer.weight_value(leaf);
  value.backward(g);
  return {value.detach(), leaf.grad()};
}

// Mask bits as bytes of the shape of x.
at::Tensor unpacked(const at::Tensor& bits, const at::Tensor& x) {
  const at::Tensor each = bits.unsqueeze(-1).bitwise_right_shift(at::arange(8, at::kByte)).bitwise_and(1);
  return each.view({bits.size(0), -1}).narrow(1, 0, x.size(-1)).reshape(x.sizes());
}

template <class Check>
int for_kinds(std::initializer_list<const char*> kinds, const Check& check) {
  int count = 0;
  for (const json& entry : golden().cases()) {
    if (!is_kind(entry, kinds)) continue;
    SCOPED_TRACE(entry.dump());
    const at::Tensor x = golden().of(entry, "x");
    check(entry, golden_spec(entry), x, entry.contains("g") ? golden().of(entry, "g") : at::full_like(x, 0.5));
    ++count;
  }
  return count;
}

// A mask passes g whole or not at all, so off the bounds nothing but equality will do.
TEST(GradientGolden, MasksOfScalesFoundByRule) {
  const int count = for_kinds({"plain", "extreme", "ties"}, [](const json& entry, const QuantSpec& spec,
                                                               const at::Tensor& x, const at::Tensor& g) {
    if (spec.scale_rule == ScaleRule::kLearned) return;  // ties with a given step: below
    const at::Tensor masks = golden().of(entry, "masks").to(at::kBool);
    const at::Tensor off_bounds =
        is_kind(entry, {"ties"}) ? at::ones_like(x, at::kBool) : golden().of(entry, "boundary") == 0;
    for (int64_t i = 0; i < masks.size(0); ++i) {
      const std::string name = entry.at("masks")[static_cast<size_t>(i)];
      SCOPED_TRACE(name);
      const Passed ours = pass(*training_quantizer(spec, name), x, g);
      const at::Tensor expected = at::where(masks[i], g, 0.0f);
      EXPECT_EQ(((ours.dx != expected) & off_bounds).sum().item<int64_t>(), 0);
    }
    const Passed everything = pass(*training_quantizer(spec, "ste"), x, at::ones_like(x));
    EXPECT_TRUE(everything.dx.eq(1).all().item<bool>());
  });
  EXPECT_GE(count, 500);
}

TEST(GradientGolden, MasksOfGivenStepsOnExactTies) {
  int count = 0;
  for_kinds({"ties"}, [&](const json& entry, const QuantSpec& spec, const at::Tensor& x, const at::Tensor&) {
    if (spec.scale_rule != ScaleRule::kLearned) return;
    const at::Tensor scales = golden().of(entry, "scale").view({-1, 1}), masks = golden().of(entry, "masks");
    for (int64_t i = 0; i < masks.size(0); ++i) {
      const auto method = surrogate(entry.at("masks")[static_cast<size_t>(i)]);
      const auto result = ops::fake_quant(x, scales, spec, method->surrogate(spec), {.mask = true});
      EXPECT_TRUE(at::equal(unpacked(result.mask, x), masks[i].to(at::kByte)));
      ++count;
    }
  });
  EXPECT_GE(count, 10);
}

TEST(GradientGolden, LearnedSteps) {
  double worst = 0;
  const int count =
      for_kinds({"learned"}, [&](const json& entry, const QuantSpec& spec, const at::Tensor& x, const at::Tensor& g) {
        const auto quantizer = training_quantizer(spec, entry.at("method"));
        quantizer->learned() = golden().of(entry, "s").view({-1, 1}).set_requires_grad(true);
        quantizer->remember_signs();
        const Passed ours = pass(*quantizer, x, g);
        EXPECT_TRUE(at::equal(ours.value, golden().of(entry, "value")));
        EXPECT_TRUE(at::equal(ours.dx, golden().of(entry, "dx")));
        const at::Tensor ds = quantizer->learned().grad().flatten();
        const at::Tensor error = (ds - golden().of(entry, "ds")).abs() / golden().of(entry, "ds_abs");
        EXPECT_LE(error.max().item<double>(), 1e-6);
        worst = std::max(worst, error.max().item<double>());
      });
  EXPECT_GE(count, 20);
  RecordProperty("worst", std::to_string(worst * 1e9) + "e-9");
}

TEST(GradientGolden, LearnedStepsStartWhereTheMethodSays) {
  for_kinds({"learned"}, [](const json& entry, const QuantSpec& spec, const at::Tensor& x, const at::Tensor&) {
    const auto quantizer = training_quantizer(spec, entry.at("method"));
    quantizer->start_learned(x, surrogate(entry.at("method"))->initial_rule(spec.grid));
    EXPECT_LE(test::worst_ulps(quantizer->learned().detach(), golden().of(entry, "s_init")), 2);
  });
}

// The unit and the normaliser of a learned step belong to the method, not to the test.
TEST(GradientGolden, MethodsKnowTheirUnit) {
  for_kinds({"learned"}, [](const json& entry, const QuantSpec& spec, const at::Tensor& x, const at::Tensor&) {
    const auto method = surrogate(entry.at("method"));
    EXPECT_EQ(method->learned_unit(spec.grid), entry.at("s_over_d").get<float>());
    const double qp = entry.at("qp");
    EXPECT_DOUBLE_EQ(method->scale_gradient_factor(x.numel(), spec.grid),
                     1 / std::sqrt(static_cast<double>(x.numel()) * qp));
  });
}

TEST(GradientGolden, RotatedSurrogates) {
  double worst = 0;
  const int count =
      for_kinds({"rotated"}, [&](const json& entry, const QuantSpec& spec, const at::Tensor& x, const at::Tensor& g) {
        const at::Tensor expected = golden().of(entry, "dx");
        for (int64_t i = 0; i < expected.size(0); ++i) {
          const std::string name = entry.at("surrogates")[static_cast<size_t>(i)];
          SCOPED_TRACE(name);
          const Passed ours = pass(*training_quantizer(spec, name), x, g);
          EXPECT_LE(relative_error(ours.value, golden().of(entry, "value")), 1e-6);
          const double error = relative_error(ours.dx, expected[i]);
          EXPECT_LE(error, 1e-6);
          worst = std::max(worst, error);
        }
      });
  EXPECT_GE(count, 30);
  RecordProperty("worst", std::to_string(worst * 1e9) + "e-9");
}

}  // namespace
}  // namespace detent
