// The optimizer's walk over rows, which takes them in bundles and shares them among threads, against its plain twin:
// one row after the other, stepped and pulled by the reference kernels towards the same targets. Bit for bit.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <vector>

#include "detent/kernels/optimizer/optimizer.h"
#include "detent/optim/optimizer.h"
#include "detent/qat/quantizer_rule.h"
#include "tests/support/bits.h"

namespace detent {
namespace {

struct Shape {
  int64_t rows, columns;
};
// Around half a page and a bundle of 16384 floats, bundles that the rows do not fill, rows that no vector divides.
constexpr Shape kShapes[] = {{3, 64}, {37, 512}, {37, 640}, {33, 1024}, {19, 1000}, {9, 8191}, {3, 16384}, {3, 20000}};
constexpr double kRate = 1e-2, kDecay = 0.1, kGradientScale = 0.5;
constexpr int64_t kSteps = 2;

std::shared_ptr<RowTarget> target_of(Rotation rotation) {
  QuantSpec spec{make_grid("int", 4), parse_granularity("row")};
  spec.rotation = rotation;
  auto phase = std::make_shared<Phase>();
  return make_quantized_target(
      std::make_shared<TensorQuantizer>("w", spec, make_surrogate("ste", {}), std::move(phase), 0));
}

// A weight with the moments that belong to it; SGD's momentum is the first one.
struct State {
  at::Tensor w, first, second;
};

State step_whole(const OptimizerOptions& options, const at::Tensor& start, const at::Tensor& gradient,
                 const std::shared_ptr<RowTarget>& target, const PullTerms& pull) {
  at::Tensor w = start.clone().set_requires_grad(true);
  w.mutable_grad() = gradient;
  const auto optimizer = make_optimizer(options, {{"w", w, kDecay, 1, target}});
  for (int64_t t = 1; t <= kSteps; ++t) optimizer->step(t, kRate, kGradientScale, pull);
  auto moments = optimizer->state();
  if (options.name == "sgd") return {w.detach(), moments.at("sgd.momentum.w"), at::zeros_like(w)};
  return {w.detach(), moments.at("adamw.m.w"), moments.at("adamw.v.w")};
}

void step_row(const OptimizerOptions& o, int64_t t, const PullTerms& pull, const State& s, int64_t at, const float* g,
              const float* target, int64_t columns) {
  float *w = s.w.data_ptr<float>() + at, *first = s.first.data_ptr<float>() + at;
  if (o.name == "sgd")
    return kernels::reference::sgd_row({.lr = static_cast<float>(kRate),
                                        .momentum = static_cast<float>(o.momentum),
                                        .weight_decay = static_cast<float>(kDecay),
                                        .gradient_scale = static_cast<float>(kGradientScale),
                                        .coupled = static_cast<float>(pull.coupled)},
                                       w, g, first, target, columns);
  kernels::AdamwCoefficients c = kernels::adamw_coefficients(kRate, kDecay, o.betas[0], o.betas[1], o.epsilon, t);
  c.gradient_scale = static_cast<float>(kGradientScale);
  c.coupled = static_cast<float>(pull.coupled);
  kernels::reference::adamw_row(c, w, g, first, s.second.data_ptr<float>() + at, target, columns);
}

State step_plainly(const OptimizerOptions& options, const at::Tensor& start, const at::Tensor& gradient,
                   RowTarget& target, const PullTerms& pull) {
  const State s{start.clone(), at::zeros_like(start), at::zeros_like(start)};
  target.prepare(s.w);
  const int64_t columns = start.size(1);
  std::vector<float> wanted(columns), scratch(columns);
  for (int64_t t = 1; t <= kSteps; ++t)
    for (int64_t r = 0; r < start.size(0); ++r) {
      const int64_t at = r * columns;
      float* row = s.w.data_ptr<float>() + at;
      target.target(r, row, wanted.data(), scratch.data());
      step_row(options, t, pull, s, at, gradient.const_data_ptr<float>() + at, wanted.data(), columns);
      if (pull.decoupled == 0) continue;
      target.target(r, row, wanted.data(), scratch.data());
      kernels::reference::pull_row(row, wanted.data(), static_cast<float>(kRate * pull.decoupled), columns);
    }
  return s;
}

class OptimizerWalk : public testing::TestWithParam<const char*> {
 protected:
  void TearDown() override { at::set_num_threads(threads_before_); }

  void compare(const Shape& shape, Rotation rotation, const PullTerms& pull) {
    OptimizerOptions options;
    options.name = GetParam();
    const at::Tensor start = at::randn({shape.rows, shape.columns}), gradient = at::randn_like(start);
    const auto target = target_of(rotation);
    const State plain = step_plainly(options, start, gradient, *target, pull);
    for (const int threads : {1, 2, 3}) {
      SCOPED_TRACE(testing::Message() << shape.rows << "x" << shape.columns << ", pulls " << pull.decoupled << " and "
                                      << pull.coupled << ", " << threads << " threads");
      at::set_num_threads(threads);
      const State whole = step_whole(options, start, gradient, target, pull);
      EXPECT_TRUE(test::same_bits(whole.w, plain.w));
      EXPECT_TRUE(test::same_bits(whole.first, plain.first));
      EXPECT_TRUE(test::same_bits(whole.second, plain.second));
    }
  }

 private:
  int threads_before_ = at::get_num_threads();
};

TEST_P(OptimizerWalk, IsThatOfEachRowOnAnyNumberOfThreads) {
  at::manual_seed(5);
  for (const Shape& shape : kShapes)
    for (const Rotation rotation : {Rotation::kNone, Rotation::kHadamard})
      for (const PullTerms& pull : {PullTerms{}, PullTerms{20, 0}, PullTerms{0, 3}, PullTerms{20, 3}})
        compare(shape, rotation, pull);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, OptimizerWalk, testing::Values("adamw", "sgd"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace detent
