// What stands between the matrix products of a transformer, each one walk over memory with a gradient that keeps no
// intermediate. On other devices than the CPU, and for other types than float32, they are the composites of ATen's
// operations that `composite` holds, which are also the plain twins.
#pragma once
#include <ATen/core/Tensor.h>

namespace detent::ops {

// x [..., size], weight [size] -> x / sqrt(mean(x^2) + epsilon) * weight (arXiv 1910.07467).
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);

// silu(gate) * up, of one shape (arXiv 2002.05202).
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

// x [B, T, heads, size] with its halves rotated against each other by the angles whose cos and sin are given (arXiv
// 2104.09864): [T, size / 2], or [B, T, size / 2] where rows differ.
at::Tensor rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

namespace composite {
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);
at::Tensor rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);
}  // namespace composite

}  // namespace detent::ops
