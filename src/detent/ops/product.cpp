#include "detent/ops/product.h"

#include <ATen/ATen.h>
#include <ATen/record_function.h>

#include <vector>

#include "detent/base/error.h"
#include "detent/kernels/float_gemm/float_gemm.h"
#include "detent/ops/blocked_product.h"
#include "detent/ops/device.h"
#include "detent/ops/with_backward.h"

namespace detent::ops {

namespace {

// Below this many rows packing the weight costs more than a better product gives back.
constexpr int64_t kLeastRows = 16;

// Up to so many rows, of so much depth, it pays to turn the product: the other operand is then read as it lies, and not
// packed, but what comes out is to be turned back.
constexpr int64_t kMostTurned = 128, kLeastDepthTurned = 512;

bool pays_to_turn(const at::Tensor& a, const at::Tensor& b) {
  return a.size(0) <= kMostTurned && a.size(0) < b.size(1) && a.size(1) >= kLeastDepthTurned && b.stride(0) == 1;
}

// One stride is 1, whichever way it lies.
at::Tensor dense(const at::Tensor& x) { return x.stride(0) == 1 || x.stride(1) == 1 ? x : x.contiguous(); }

at::Tensor product_by_blocks(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor left = dense(a), right = dense(b);
  const kernels::FloatLines rows{left.const_data_ptr<float>(), left.stride(0), left.stride(1)},
      columns{right.const_data_ptr<float>(), right.stride(1), right.stride(0)};
  const int64_t depth = a.size(1), width = b.size(1);
  at::Tensor out = at::empty({a.size(0), width}, a.options());
  blocked_product(
      rows, {a.size(0), width, depth, width},
      [&](int64_t first, int64_t last, int64_t begin, int64_t end, float* packed) {
        kernels::float_gemm_pack(columns, first, last, begin, end, packed);
      },
      out.mutable_data_ptr<float>());
  return out;
}

}  // namespace

bool has_product(const at::Tensor& a, const at::Tensor& b) {
  const auto fits = [](const at::Tensor& x) { return has_kernels(x) && x.scalar_type() == at::kFloat; };
  return fits(a) && fits(b) && a.size(0) >= kLeastRows && kernels::float_gemm_fuses();
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  const at::NoGradGuard no_graph;
  if (a.dim() != 2 || b.dim() != 2 || a.size(1) != b.size(0))
    fail("[product] got {} and {}, expected [m, k] and [k, n]", fmt::join(a.sizes(), "x"), fmt::join(b.sizes(), "x"));
  if (!has_product(a, b)) return a.mm(b);
  // Profilers and `detent bench steps` see our products as they see ATen's.
  RECORD_FUNCTION("detent::mm", std::vector<c10::IValue>());
  // The same factors in the same chain: the bits do not depend on which operand comes first.
  return pays_to_turn(a, b) ? product_by_blocks(b.t(), a.t()).t().contiguous() : product_by_blocks(a, b);
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor rows = x.detach().reshape({-1, x.size(-1)}), w = weight.detach();
  if (bias.defined() && bias.sizes() != weight.sizes().slice(0, 1))
    fail("[linear] got a bias of {} elements for {} outputs", bias.numel(), weight.size(0));
  if (!has_product(rows, w)) return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
  const std::vector<int64_t> in_sizes = x.sizes().vec();
  std::vector<int64_t> out_sizes = in_sizes;
  out_sizes.back() = weight.size(0);
  at::Tensor out = product(rows, w.t());
  if (bias.defined()) out.add_(bias.detach());
  const bool to_x = x.requires_grad(), to_weight = weight.requires_grad(),
             to_bias = bias.defined() && bias.requires_grad();
  // Each operand is kept for the other's gradient.
  const at::Tensor for_x = to_x ? w : at::Tensor(), for_weight = to_weight ? rows : at::Tensor();
  return with_backward(out.view(out_sizes), {x, weight, bias}, [=](const at::Tensor& gradient) {
    const at::Tensor g = gradient.reshape({-1, gradient.size(-1)});
    return std::vector<at::Tensor>{to_x ? product(g, for_x).view(in_sizes) : at::Tensor(),
                                   to_weight ? product(g.t(), for_weight) : at::Tensor(),
                                   to_bias ? g.sum(0) : at::Tensor()};
  });
}

}  // namespace detent::ops
