// Products of float matrices on the CPU by kernels/float_gemm: every output is one chain of fused multiply-adds, so
// that the bits depend on no number of threads. The gradients of a linear layer are products of the same kind.
#pragma once
#include <ATen/core/Tensor.h>

namespace detent::ops {

// a [m, k] times b [k, n]: float [m, n], without a graph. Either may be a transposed view; other strides are copied
// first. ATen's product where there is no kernel (other devices and types) or none pays: few rows, as in generation.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);

// Whether a product of a by b, either way it lies, is one of ours.
bool has_product(const at::Tensor& a, const at::Tensor& b);

// x [..., in] times weight [out, in] transposed, plus bias [out] if defined; with gradients.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

}  // namespace detent::ops
