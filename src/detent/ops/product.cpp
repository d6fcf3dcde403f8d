#include "detent/ops/product.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <vector>

#include "detent/base/error.h"
#include "detent/kernels/float_gemm/float_gemm.h"
#include "detent/ops/device.h"
#include "detent/ops/with_backward.h"

namespace detent::ops {

namespace {

// Below this many rows packing the weight costs more than a better product gives back.
constexpr int64_t kLeastRows = 16;
constexpr int64_t kLeastWork = 1 << 16;               // multiplications worth a thread
constexpr int64_t kRowGrain = 12, kColumnGrain = 32;  // whole tiles on every instruction set

// One stride is 1, whichever way it lies.
at::Tensor dense(const at::Tensor& x) { return x.stride(0) == 1 || x.stride(1) == 1 ? x : x.contiguous(); }

// A grid of about equal parts, one a thread, in the shape that packs the fewest elements twice.
class Parts {
 public:
  Parts(int64_t rows, int64_t columns, int64_t depth) : rows_(rows), columns_(columns) {
    const int64_t work = rows * columns * depth / kLeastWork;
    const int64_t threads = std::clamp<int64_t>(work, 1, at::get_num_threads());
    for (int64_t across = 1; across <= threads; ++across)
      if (threads % across == 0 && rows * across + columns * (threads / across) < cost())
        across_ = across, down_ = threads / across;
  }
  int64_t count() const { return down_ * across_; }
  kernels::FloatGemmPart operator[](int64_t i) const {
    const auto cut = [](int64_t size, int64_t grain, int64_t parts, int64_t at) {
      const int64_t grains = (size + grain - 1) / grain;
      return std::min(size, grains * at / parts * grain);
    };
    const int64_t row = i / across_, column = i % across_;
    return {cut(rows_, kRowGrain, down_, row), cut(rows_, kRowGrain, down_, row + 1),
            cut(columns_, kColumnGrain, across_, column), cut(columns_, kColumnGrain, across_, column + 1)};
  }

 private:
  int64_t cost() const { return down_ == 0 ? INT64_MAX : rows_ * across_ + columns_ * down_; }
  int64_t rows_, columns_, down_ = 0, across_ = 0;
};

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
  const at::Tensor left = dense(a), right = dense(b);
  const kernels::FloatLines rows{left.const_data_ptr<float>(), left.stride(0), left.stride(1)},
      columns{right.const_data_ptr<float>(), right.stride(1), right.stride(0)};
  const int64_t depth = a.size(1), width = b.size(1);
  at::Tensor out = at::empty({a.size(0), width}, a.options());
  float* to = out.mutable_data_ptr<float>();
  const Parts parts(a.size(0), width, depth);
  at::parallel_for(0, parts.count(), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) kernels::float_gemm(rows, columns, depth, parts[i], to, width);
  });
  return out;
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
