#include "detent/ops/with_backward.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>

namespace detent::ops {

namespace {
struct HandWritten : torch::autograd::Node {
  Backward backward;
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    if (!gradients[0].defined()) return torch::autograd::variable_list(num_outputs());
    const at::NoGradGuard guard;
    return backward(gradients[0]);
  }
  void release_variables() override { backward = nullptr; }
};
}  // namespace

at::Tensor with_backward(const at::Tensor& value, const std::vector<at::Tensor>& inputs, Backward backward) {
  const auto needs = [](const at::Tensor& input) { return input.defined() && input.requires_grad(); };
  if (!at::GradMode::is_enabled() || std::none_of(inputs.begin(), inputs.end(), needs)) return value;
  auto node = std::make_shared<HandWritten>();
  torch::autograd::edge_list edges;
  for (const at::Tensor& input : inputs)
    edges.push_back(input.defined() ? torch::autograd::impl::gradient_edge(input) : torch::autograd::Edge());
  node->set_next_edges(std::move(edges));
  node->backward = std::move(backward);
  at::Tensor result = value.detach();
  torch::autograd::set_history(result, node);
  return result;
}

}  // namespace detent::ops
