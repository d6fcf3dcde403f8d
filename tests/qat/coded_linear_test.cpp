// A linear layer on codes against the same layer on values: forward within the stated bound, gradients alike, and what
// is kept between forwards never stale.
#include "detent/qat/coded_linear.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "detent/optim/optimizer.h"
#include "detent/qat/attach.h"
#include "tests/support/bits.h"
#include "tests/support/subjects.h"

namespace detent {
namespace {

using test::gaussian;
using test::relative_error;

QuantOptions options_of(const std::string& yaml) {
  Node node = parse_yaml(yaml, "quant");
  QuantOptions options;
  read_options(node, options);
  return options;
}

constexpr const char* kQuest =
    "weights: {grid: midrise, bits: 4, scale: rms, rotation: hadamard_half, group: row, surrogate: trust}\n"
    "activations: {grid: midrise, bits: 4, scale: rms, rotation: hadamard_half, group: token, surrogate: trust}\n";
constexpr const char* kRotatedBack =
    "weights: {grid: midrise, bits: 4, scale: rms, rotation: hadamard, group: row, surrogate: trust}\n"
    "activations: {grid: midrise, bits: 4, scale: rms, rotation: hadamard, group: token, surrogate: trust}\n";
constexpr const char* kLearnedBack =
    "weights: {grid: int, bits: 3, scale: learned, rotation: hadamard, group: row, surrogate: lsq}\n"
    "activations: {grid: int, bits: 4, scale: learned, rotation: hadamard, group: tensor, surrogate: lsq}\n";
constexpr const char* kGroups =
    "weights: {grid: int, bits: 4, scale: absmax_signed, group: 32, scale_format: fp16, surrogate: ste}\n"
    "activations: {grid: int, bits: 8, scale: absmax, group: token, surrogate: ste}\n";
constexpr const char* kLearned =
    "weights: {grid: int, bits: 3, scale: learned, group: row, surrogate: lsq}\n"
    "activations: {grid: int, bits: 4, scale: learned, group: tensor, surrogate: lsq}\n";
constexpr const char* kMixed =
    "weights: {grid: ternary, scale: mean, group: tensor, surrogate: ternary}\n"
    "activations: {grid: midrise, bits: 3, scale: rms, group: token, surrogate: clip}\n";

// Two layers that read the same input, as gate and up do.
struct Pair {
  nn::Linear first, second;
  QuantizedModel model;

  explicit Pair(const std::string& yaml) {
    first.weight = gaussian({24, 64}, 1).set_requires_grad(true);
    second.weight = gaussian({40, 64}, 2).set_requires_grad(true);
    model = attach(options_of(yaml), {{"first.weight", nn::Role::kProjection, &first.weight, &first.rule},
                                      {"second.weight", nn::Role::kProjection, &second.weight, &second.rule}});
    model.phase->training = true;
  }

  std::vector<at::Tensor> leaves(const at::Tensor& x) {
    std::vector<at::Tensor> all = {x, first.weight, second.weight};
    for (const auto& [name, quantizer] : model.learned()) all.push_back(quantizer->learned());
    return all;
  }

  // Outputs and the gradients of all leaves.
  std::vector<at::Tensor> run(const at::Tensor& input, bool integers) {
    model.phase->integers = integers;
    const at::Tensor x = input.clone().set_requires_grad(true);
    const at::Tensor a = first.forward(x), b = second.forward(x);
    std::vector<at::Tensor> results = {a.detach(), b.detach()};
    const auto all = leaves(x);
    for (const at::Tensor& leaf : all) leaf.mutable_grad() = at::Tensor();
    (a.mul(gaussian({3, 5, 24}, 7)).sum() + b.mul(gaussian({3, 5, 40}, 8)).sum()).backward();
    for (const at::Tensor& leaf : all) results.push_back(leaf.grad().clone());
    return results;
  }
};

TEST(CodedLinear, EqualsTheLinearOnValues) {
  for (const char* yaml : {kQuest, kRotatedBack, kGroups, kLearned, kLearnedBack, kMixed}) {
    SCOPED_TRACE(yaml);
    Pair layers(yaml);
    const at::Tensor x = gaussian({3, 5, 64}, 3, 1.0f);
    layers.run(x, false);  // starts learned activation scales
    const auto values = layers.run(x, false), codes = layers.run(x, true);
    ASSERT_EQ(values.size(), codes.size());
    EXPECT_FALSE(test::same_bits(values[0], codes[0])) << "the integer path did not run";
    for (size_t i = 0; i < values.size(); ++i) EXPECT_LT(relative_error(codes[i], values[i]), 2e-6) << "result " << i;
  }
}

TEST(CodedLinear, EvaluationEqualsTheValuesToo) {
  for (const char* yaml : {kQuest, kRotatedBack, kGroups, kLearned, kLearnedBack, kMixed}) {
    Pair layers(yaml);
    const at::Tensor x = gaussian({3, 5, 64}, 3, 1.0f);
    layers.run(x, true);
    layers.model.phase->training = false;
    layers.model.phase->integers = false;
    const at::Tensor values = layers.first.forward(x);
    layers.model.phase->integers = true;
    const at::NoGradGuard guard;
    EXPECT_LT(relative_error(layers.first.forward(x), values), 2e-6);
    EXPECT_LT(relative_error(layers.first.forward(x), values), 2e-6) << "from kept codes";
  }
}

// Whatever changes a weight or its scale must reach the next forward.
TEST(CodedLinear, KeptCodesFollowTheWeight) {
  for (const char* yaml : {kQuest, kRotatedBack, kLearned, kLearnedBack}) {
    Pair layers(yaml);
    const at::Tensor x = gaussian({3, 5, 64}, 3, 1.0f);
    const auto agree = [&](const char* after) {
      EXPECT_LT(relative_error(layers.run(x, true)[0], layers.run(x, false)[0]), 2e-6) << after;
    };
    layers.run(x, false);
    agree("the start");
    std::vector<OptimizedParameter> parameters = {{"w", layers.first.weight, 0.1, 1, nullptr}};
    for (const auto& [name, quantizer] : layers.model.learned())
      parameters.push_back({name, quantizer->learned(), 0, 1, nullptr});
    const auto optimizer = make_optimizer({}, parameters);
    optimizer->step(1, 0.05, 1, {});
    agree("a step");
    const auto target = make_quantized_target(layers.model.layers[0].weight);
    pull_towards(layers.first.weight, *target, 0.9);
    agree("a pull");
    {
      const at::NoGradGuard guard;
      layers.first.weight.copy_(gaussian({24, 64}, 9));
    }
    agree("a copy");
    layers.model.phase->training = false;
    layers.first.forward(x);
    layers.model.phase->training = true;
    agree("an evaluation");
    layers.model.phase->noise = 0.3;
    for (uint32_t forward : {1, 2}) {
      layers.model.phase->forward = forward;
      agree("noise");
    }
  }
}

TEST(CodedLinear, KeptInputsFollowTheInput) {
  Pair layers(kQuest);
  at::Tensor x = gaussian({3, 5, 64}, 3, 1.0f);
  const at::NoGradGuard guard;
  const auto fresh = [&] { return Pair(kQuest).first.forward(x.clone()); };
  EXPECT_TRUE(test::same_bits(layers.first.forward(x), fresh()));
  x.mul_(1.7);
  EXPECT_TRUE(test::same_bits(layers.first.forward(x), fresh())) << "changed in place";
  for (uint64_t seed = 4; seed < 24; ++seed) {  // new tensors at the addresses of old ones
    x = gaussian({3, 5, 64}, seed, 1.0f);
    EXPECT_TRUE(test::same_bits(layers.first.forward(x), fresh())) << seed;
  }
}

// Blending mixes values, so there is nothing to multiply as codes.
TEST(CodedLinear, BlendingTakesTheValues) {
  Pair layers(kLearned);
  layers.model.phase->blending = true;
  layers.model.phase->blend = 0.5;
  const at::Tensor x = gaussian({3, 5, 64}, 3, 1.0f);
  layers.run(x, true);
  EXPECT_TRUE(test::same_bits(layers.run(x, true)[0], layers.run(x, false)[0]));
}

}  // namespace
}  // namespace detent
