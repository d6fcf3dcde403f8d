// A value with a hand-written gradient: the one place where detent meets the autograd engine.
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace detent::ops {

// Returns `value` (computed without a graph) as a function of `inputs`; backward turns d(loss)/d(value) into one
// gradient an input (undefined tensors where none is needed). Inputs may be undefined. First derivatives only.
using Backward = std::function<std::vector<at::Tensor>(const at::Tensor& gradient)>;
at::Tensor with_backward(const at::Tensor& value, const std::vector<at::Tensor>& inputs, Backward backward);

}  // namespace detent::ops
