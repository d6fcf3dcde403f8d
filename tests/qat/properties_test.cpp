// Properties over random specs, tensors and options. The seed is fixed, so that a failure can be repeated; RC_PARAMS in
// the environment (RapidCheck's own variable) replaces it, e.g. RC_PARAMS="max_success=10000".
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>

#include "detent/optim/optimizer.h"
#include "detent/qat/alpha_blending.h"
#include "detent/qat/cage.h"
#include "detent/qat/winq.h"
#include "tests/support/bits.h"
#include "tests/support/subjects.h"

namespace detent {
namespace {

using test::Rig;
using test::same_bits;
using test::Subject;

[[maybe_unused]] const int fixed_seed = setenv("RC_PARAMS", "seed=20251018 max_success=300", /*overwrite=*/0);

// A case: a subject, a matrix of multiples of a power of two (so that ties and equal elements are common) and a rig.
struct Trial {
  const Subject& subject;
  at::Tensor x;
  Rig rig;
};

// Uniform in [low, high), whatever the size of the case.
template <class T>
rc::Gen<T> uniform(T low, T high) {
  return rc::gen::resize(rc::kNominalSize, rc::gen::inRange<T>(low, high));
}

const Subject& any_subject(bool (*wanted)(const Subject&)) {
  const auto& all = test::all_subjects();
  return all[*rc::gen::suchThat(uniform<size_t>(0, all.size()), [&](size_t i) { return wanted(all[i]); })];
}

at::Tensor any_matrix(int64_t rows, int64_t columns) {
  const int exponent = *uniform(-12, -4);
  const auto elements = *rc::gen::container<std::vector<int>>(static_cast<size_t>(rows * columns), uniform(-40, 41));
  at::Tensor x = at::empty({rows, columns});
  for (size_t i = 0; i < elements.size(); ++i)
    x.data_ptr<float>()[i] = std::ldexp(static_cast<float>(elements[i]), exponent);
  return x;
}

Trial any_trial(bool (*wanted)(const Subject&) = [](const Subject&) { return true; }) {
  const Subject& subject = any_subject(wanted);
  const at::Tensor x = any_matrix(*uniform(1, 4), 32 * *uniform(1, 4));
  RC_LOG() << subject.name() << "\n";
  return {subject, x, Rig(subject, x)};
}

RC_GTEST_PROP(Properties, EvaluationIsTheStoredValue, ()) {
  Trial t = any_trial();
  RC_ASSERT(same_bits(t.rig.quantizer->weight_value(t.x), dequantize(t.rig.codes(t.x))));
}

RC_GTEST_PROP(Properties, CodesAreTheNearestLevels, ()) {
  const Trial t = any_trial();
  const Quantized q = t.rig.codes(t.x);
  const at::Tensor target = test::basis(t.x, t.subject.spec), scale = test::spread(q.scales, t.x.sizes()).contiguous();
  for (int64_t i = 0; i < t.x.numel(); ++i) {
    const double x = target.data_ptr<float>()[i], d = scale.data_ptr<float>()[i];
    const Grid& grid = t.subject.spec.grid;
    const double mine = std::abs(x - d * grid.level(q.codes.data_ptr<int8_t>()[i]));
    for (int code = grid.lo(); code <= grid.hi(); ++code)
      RC_ASSERT(mine <= std::abs(x - d * grid.level(code)) + 2e-7 * (std::abs(x) + std::abs(d)));
  }
}

// A reset moves every weight towards its own level, so the level stays the nearest one: Q((1-a) W + a Q(W)) = Q(W).
RC_GTEST_PROP(Properties, AResetLeavesTheQuantizedValueOfLearnedSteps, ()) {
  Trial t = any_trial([](const Subject& s) { return s.learned(); });
  const double alpha = *uniform(5, 101) / 100.0;
  const at::Tensor before = t.rig.quantizer->plain_value(t.x), w = t.x.clone();
  pull_towards(w, *make_quantized_target(t.rig.quantizer), alpha);
  RC_ASSERT(same_bits(t.rig.quantizer->plain_value(w), before));
}

// A training run of a few steps on one weight, with everything that the methods can change left as they leave it.
struct Run {
  OptimizerOptions options;
  std::vector<at::Tensor> gradients;
  double lr = 0.01;
};

Run any_run(const at::Tensor& x) {
  Run run;
  run.options.name = *rc::gen::element<std::string>("adamw", "sgd");
  run.options.momentum = *rc::gen::element(0.0, 0.9);
  run.options.nesterov = run.options.momentum > 0 && *rc::gen::arbitrary<bool>();
  run.lr = *rc::gen::element(1e-3, 0.1);
  for (int i = 0; i < 3; ++i) run.gradients.push_back(any_matrix(x.size(0), x.size(1)));
  return run;
}

using BeforeStep = std::function<PullTerms(Rig&, OptimizedParameter&, int64_t t)>;
constexpr int64_t kSteps = 3;

// The weight after the run. A null rig trains in full precision; otherwise the forward is the quantizer's.
at::Tensor trained(const Run& run, const Trial& trial, bool quantized, const BeforeStep& before) {
  Rig rig(trial.subject, trial.x);
  rig.phase->training = true;
  const at::Tensor w = trial.x.clone().set_requires_grad(true);
  std::shared_ptr<RowTarget> target = make_quantized_target(rig.quantizer);
  const auto optimizer = make_optimizer(run.options, {{"w", w, 0.1, 1, target}});
  for (int64_t t = 1; t <= kSteps; ++t) {
    const PullTerms pull = before(rig, optimizer->parameters()[0], t);
    w.mutable_grad().reset();
    (quantized ? rig.quantizer->weight_value(w) : w * 1).backward(run.gradients[t - 1]);
    optimizer->step(t, run.lr, 1, pull);
  }
  return w.detach();
}

PullTerms plain(Rig&, OptimizedParameter& parameter, int64_t) {
  parameter.target = nullptr;
  return {};
}

// Silent CAGE: strength 0, or every step before its start.
RC_GTEST_PROP(Properties, CageWithoutStrengthIsNoStep, ()) {
  const Trial t = any_trial();
  const Run run = any_run(t.x);
  CageOptions options;
  options.start = *rc::gen::element(0.0, 0.9999);
  options.mode = *rc::gen::element<std::string>("coupled", "decoupled");
  options.lambda = options.start == 0 ? 0 : 10;
  const double lambda = cage_size(options, 1, 1).lambda;
  const at::Tensor silent = trained(run, t, true, [&](Rig&, OptimizedParameter&, int64_t step) {
    const double now = lambda * cage_ramp(options, step, 100 * kSteps);
    return options.mode == "coupled" ? PullTerms{0, now} : PullTerms{now, 0};
  });
  RC_ASSERT(same_bits(silent, trained(run, t, true, plain)));
}

RC_GTEST_PROP(Properties, WinqWithoutNoiseIsNoStep, ()) {
  const Trial t = any_trial();
  const Run run = any_run(t.x);
  WinqOptions options;
  options.interpolation = *rc::gen::element(0.0, 0.4);
  options.every = options.interpolation == 0 ? 1 : 0;
  const at::Tensor quiet = trained(run, t, true, [&](Rig& rig, OptimizedParameter&, int64_t step) {
    rig.phase->noise = 0;
    rig.phase->noise_scales = *rc::gen::arbitrary<bool>();
    rig.phase->forward = static_cast<uint32_t>(step);
    RC_ASSERT(!options.resets_after(step));
    return PullTerms{};
  });
  RC_ASSERT(same_bits(quiet, trained(run, t, true, plain)));
}

double set_blend(Rig& rig, OptimizedParameter& parameter, const AlphaBlendingOptions& options, int64_t t) {
  rig.phase->blending = true;
  rig.phase->blend = blend_at(options, t, kSteps);
  if (rig.phase->blend >= 1) parameter.learning_rate_factor = 0;
  return rig.phase->blend;
}

// Before its window blending is full-precision training; after it the weight rests.
RC_GTEST_PROP(Properties, BlendingOutsideItsWindowIsNoStep, ()) {
  const Trial t = any_trial([](const Subject& s) { return s.spec.rotation != Rotation::kHadamardHalf; });
  const Run run = any_run(t.x);
  const auto blended = [&](AlphaBlendingOptions options, double alpha) {
    return trained(run, t, true, [=](Rig& rig, OptimizedParameter& parameter, int64_t step) {
      parameter.target = nullptr;
      RC_ASSERT(set_blend(rig, parameter, options, step) == alpha);
      return PullTerms{};
    });
  };
  RC_ASSERT(same_bits(blended({.start = 1, .end = 2}, 0), trained(run, t, false, plain)));
  RC_ASSERT(same_bits(blended({.start = 0, .end = 0.1}, 1), t.x));
}

// Under plain SGD alpha-blending is a learning rate of (1 - alpha) times the full one.
RC_GTEST_PROP(Properties, BlendingUnderSgdScalesTheLearningRate, ()) {
  const Trial t = any_trial([](const Subject& s) { return s.spec.rotation != Rotation::kHadamardHalf; });
  Run run = any_run(t.x);
  run.options.name = "sgd";
  run.options.momentum = 0;
  run.options.nesterov = false;
  const AlphaBlendingOptions options{.start = 0, .end = 1.5, .exponent = *rc::gen::element(1.0, 3.0)};
  const at::Tensor blended = trained(run, t, true, [&](Rig& rig, OptimizedParameter& parameter, int64_t step) {
    parameter.weight_decay = 0;
    set_blend(rig, parameter, options, step);
    return PullTerms{};
  });
  const at::Tensor scaled = trained(run, t, false, [&](Rig&, OptimizedParameter& parameter, int64_t step) {
    parameter.weight_decay = 0;
    parameter.learning_rate_factor = 1 - blend_at(options, step, kSteps);
    return PullTerms{};
  });
  RC_ASSERT((blended - scaled).abs().max().item<float>() <= 1e-6 * (scaled.abs().max().item<float>() + 1e-9));
}

}  // namespace
}  // namespace detent
