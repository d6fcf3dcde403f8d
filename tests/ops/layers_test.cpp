// Fused layers against the composites of ATen's operations: values and gradients.
#include "detent/ops/layers.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <functional>

namespace detent::ops {
namespace {

using Shape = std::vector<int64_t>;
using Function = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

at::Tensor normal(const Shape& shape, double scale = 1) {
  return at::randn(shape, at::kFloat).mul(scale).set_requires_grad(true);
}

void expect_close(const at::Tensor& got, const at::Tensor& expected) {
  ASSERT_EQ(got.sizes(), expected.sizes());
  EXPECT_LT((got - expected).abs().max().item<float>(), 5e-6 * (1 + expected.abs().max().item<float>()));
}

void expect_equal(const Function& fused, const Function& plain, const std::vector<at::Tensor>& inputs) {
  const auto run = [&](const Function& function) {
    for (const at::Tensor& input : inputs) input.mutable_grad() = at::Tensor();
    const at::Tensor value = function(inputs);
    at::manual_seed(9);
    value.mul(at::randn_like(value)).sum().backward();
    std::vector<at::Tensor> all = {value.detach().clone()};
    for (const at::Tensor& input : inputs) all.push_back(input.grad().clone());
    return all;
  };
  const std::vector<at::Tensor> got = run(fused), expected = run(plain);
  for (size_t i = 0; i < got.size(); ++i) expect_close(got[i], expected[i]);
}

TEST(Layers, RmsNorm) {
  at::manual_seed(1);
  for (int64_t rows : {1, 63, 64, 65, 200})
    for (int64_t size : {1, 7, 64, 172})
      expect_equal([](const auto& in) { return rms_norm(in[0], in[1], 1e-5); },
                   [](const auto& in) { return composite::rms_norm(in[0], in[1], 1e-5); },
                   {normal({2, rows, size}, 3), normal({size})});
}

TEST(Layers, Swiglu) {
  at::manual_seed(2);
  for (const Shape& shape : {Shape{1}, {3, 5, 17}, {64, 1000}})
    expect_equal([](const auto& in) { return swiglu(in[0], in[1]); },
                 [](const auto& in) { return composite::swiglu(in[0], in[1]); }, {normal(shape, 4), normal(shape)});
}

TEST(Layers, RopeWithAnglesOfAllRowsAndOfEach) {
  at::manual_seed(3);
  for (const Shape& angles : {Shape{9, 8}, {3, 9, 8}}) {
    const at::Tensor angle = at::randn(angles), cos = angle.cos(), sin = angle.sin();
    expect_equal([&](const auto& in) { return rope(in[0], cos, sin); },
                 [&](const auto& in) { return composite::rope(in[0], cos, sin); }, {normal({3, 9, 5, 16})});
  }
}

// What a caller passes may be a view with gaps.
TEST(Layers, StridedInputs) {
  at::manual_seed(4);
  const at::Tensor x = at::randn({4, 6, 32});
  expect_close(rms_norm(x.transpose(0, 1), at::ones(32), 1e-5),
               composite::rms_norm(x, at::ones(32), 1e-5).transpose(0, 1));
  expect_close(swiglu(x.narrow(2, 0, 16), x.narrow(2, 16, 16)),
               composite::swiglu(x.narrow(2, 0, 16), x.narrow(2, 16, 16)));
}

TEST(Layers, TheSameBitsOnAnyNumberOfThreads) {
  at::manual_seed(5);
  const at::Tensor x = normal({500, 96}), w = normal({96});
  const auto gradients = [&](int threads) {
    at::set_num_threads(threads);
    x.mutable_grad() = w.mutable_grad() = at::Tensor();
    rms_norm(x, w, 1e-5).square().sum().backward();
    return std::pair(x.grad().clone(), w.grad().clone());
  };
  const auto one = gradients(1), two = gradients(2);
  EXPECT_TRUE(at::equal(one.first, two.first));
  EXPECT_TRUE(at::equal(one.second, two.second));
}

}  // namespace
}  // namespace detent::ops
