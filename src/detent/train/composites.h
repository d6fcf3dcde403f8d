// What the fused kernels replace, as a user of ATen would write it: rotation by a dense matrix of 128, one operation
// after the other over memory.
#pragma once
#include <ATen/core/Tensor.h>

namespace detent::composites {

inline constexpr int64_t kBlock = 128;
at::Tensor hadamard_matrix();  // [128, 128], orthonormal

struct Quantized {
  at::Tensor value, mask;  // mask: where the gradient passes
};
at::Tensor rotated(const at::Tensor& x, const at::Tensor& h);
// Rows rotated and brought to the 4-bit mid-rise grid (QuEST, arXiv 2502.05003), in the rotated basis.
Quantized quest(const at::Tensor& x, const at::Tensor& h);
at::Tensor int4_groups(const at::Tensor& x);  // groups of 32, absmax
// int4 with a learned step a row [rows, 1] (arXiv 1902.08153): value; gradients of x and of the steps.
at::Tensor learned(const at::Tensor& x, const at::Tensor& steps);
std::pair<at::Tensor, at::Tensor> learned_backward(const at::Tensor& x, const at::Tensor& g, const at::Tensor& steps);

}  // namespace detent::composites
