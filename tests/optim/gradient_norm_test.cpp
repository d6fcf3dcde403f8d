// The norm of all gradients: the sum of squares in double, the same bits on any number of threads.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "detent/optim/optimizer.h"

namespace detent {
namespace {

std::vector<OptimizedParameter> with_gradients(const std::vector<at::Tensor>& gradients) {
  std::vector<OptimizedParameter> parameters;
  for (const at::Tensor& gradient : gradients) {
    at::Tensor value = at::zeros(gradient.sizes()).set_requires_grad(true);
    value.mutable_grad() = gradient;
    parameters.push_back({"w", value, 0, 1, nullptr});
  }
  return parameters;
}

// Beyond one block of the sum and not a multiple of it, strided, small, and one without a gradient.
TEST(GradientNorm, IsThatOfAllElementsOnAnyNumberOfThreads) {
  at::manual_seed(4);
  const std::vector<at::Tensor> gradients = {at::randn({700, 601}), at::randn({90, 40}).t(), at::randn({3})};
  std::vector<OptimizedParameter> parameters = with_gradients(gradients);
  parameters.push_back({"frozen", at::ones({5}), 0, 1, nullptr});
  double expected = 0;
  for (const at::Tensor& gradient : gradients) expected += gradient.to(at::kDouble).square().sum().item<double>();
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const double alone = gradient_norm(parameters);
  EXPECT_NEAR(alone, std::sqrt(expected), 1e-12 * std::sqrt(expected));
  for (const int threads : {2, 3, 7}) {
    at::set_num_threads(threads);
    EXPECT_EQ(gradient_norm(parameters), alone) << threads;
  }
  at::set_num_threads(before);
}

}  // namespace
}  // namespace detent
