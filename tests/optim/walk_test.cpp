// The optimizer's walk over rows, which takes them in bundles and shares them among threads, against its plain twin:
// the reference kernels on one row after the other. Bit for bit.
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
constexpr double kRate = 1e-2;

std::shared_ptr<RowTarget> target_of(Rotation rotation) {
  QuantSpec spec{make_grid("int", 4), parse_granularity("row")};
  spec.rotation = rotation;
  auto phase = std::make_shared<Phase>();
  return make_quantized_target(
      std::make_shared<TensorQuantizer>("w", spec, make_surrogate("ste", {}), std::move(phase), 0));
}

struct Start {
  explicit Start(const Shape& s) : w(at::randn({s.rows, s.columns})), gradient(at::randn({s.rows, s.columns})) {}
  at::Tensor w, gradient;
};

at::Tensor step_whole(const Start& start, const std::shared_ptr<RowTarget>& target, const PullTerms& pull) {
  at::Tensor w = start.w.clone().set_requires_grad(true);
  w.mutable_grad() = start.gradient;
  make_optimizer({}, {{"w", w, 0.1, 1, target}})->step(1, kRate, 0.5, pull);
  return w.detach();
}

at::Tensor step_plainly(const Start& start, RowTarget& target, const PullTerms& pull) {
  const OptimizerOptions options;
  kernels::AdamwCoefficients c =
      kernels::adamw_coefficients(kRate, 0.1, options.betas[0], options.betas[1], options.epsilon, 1);
  c.gradient_scale = 0.5f;
  c.coupled = static_cast<float>(pull.coupled);
  at::Tensor w = start.w.clone();
  const int64_t columns = w.size(1);
  for (int64_t r = 0; r < w.size(0); ++r) {
    std::vector<float> m(columns), v(columns), wanted(columns), scratch(columns);
    float* row = w.data_ptr<float>() + r * columns;
    target.prepare(w);
    target.target(r, row, wanted.data(), scratch.data());
    kernels::reference::adamw_row(c, row, start.gradient.const_data_ptr<float>() + r * columns, m.data(), v.data(),
                                  wanted.data(), columns);
    if (pull.decoupled == 0) continue;
    target.target(r, row, wanted.data(), scratch.data());
    kernels::reference::pull_row(row, wanted.data(), static_cast<float>(kRate * pull.decoupled), columns);
  }
  return w;
}

TEST(OptimizerWalk, IsTheReferenceOnEachRowOnAnyNumberOfThreads) {
  at::manual_seed(5);
  const int before = at::get_num_threads();
  for (const Shape& shape : kShapes) {
    const Start start(shape);
    for (const Rotation rotation : {Rotation::kNone, Rotation::kHadamard}) {
      if (rotation == Rotation::kHadamard && shape.columns % 128 != 0) continue;
      for (const PullTerms& pull : {PullTerms{}, PullTerms{20, 0}, PullTerms{0, 3}, PullTerms{20, 3}}) {
        const auto target = target_of(rotation);
        const at::Tensor plain = step_plainly(start, *target, pull);
        for (const int threads : {1, 2, 3}) {
          at::set_num_threads(threads);
          EXPECT_TRUE(test::same_bits(step_whole(start, target, pull), plain))
              << shape.rows << "x" << shape.columns << ", pulls " << pull.decoupled << " and " << pull.coupled << ", "
              << threads << " threads";
        }
      }
    }
  }
  at::set_num_threads(before);
}

}  // namespace
}  // namespace detent
