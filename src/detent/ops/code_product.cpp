#include "detent/ops/code_product.h"

#include <ATen/ATen.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <vector>

#include "detent/base/error.h"
#include "detent/kernels/float_gemm/float_gemm.h"
#include "detent/ops/blocked_product.h"
#include "detent/ops/device.h"
#include "detent/ops/share.h"

namespace detent::ops {

namespace {

using kernels::kCodePanel;

// From this many rows on a better product is worth unpacking the weight into floats first.
constexpr int64_t kManyRows = 24;
// Of x: what stays in the second-level cache while all panels pass by.
constexpr int64_t kBlockElements = 1 << 16;

int64_t parts(int64_t size, int64_t part) { return (size + part - 1) / part; }

// Codes become values in registers, for every four rows again.
void multiply_few(const kernels::CodePanels& w, const kernels::CodeGemmRows& all) {
  const int64_t pair_work = std::max<int64_t>(1, all.rows * 2 * kCodePanel * w.depth);
  const int64_t block = std::max<int64_t>(1, kBlockElements / std::max<int64_t>(1, w.depth) / 4) * 4;
  share(parts(w.panels(), 2), parts(kLeastProductWork, pair_work), [&](int64_t first, int64_t last) {
    for (int64_t row = 0; row < all.rows; row += block)
      kernels::code_gemm(w,
                         {all.x + row * all.x_stride, std::min(block, all.rows - row), all.x_stride,
                          all.out + row * all.out_stride, all.out_stride},
                         2 * first, std::min(2 * last, w.panels()));
  });
}

// A block of the weight becomes values in the cache, for all rows.
void multiply_many(const kernels::CodePanels& w, const kernels::CodeGemmRows& all) {
  blocked_product(
      {all.x, all.x_stride, 1}, {all.rows, w.outputs, w.depth, all.out_stride},
      [&](int64_t first, int64_t last, int64_t begin, int64_t end, float* packed) {
        kernels::code_gemm_pack(w, first, last, begin, end, packed);
      },
      all.out);
}

}  // namespace

std::optional<PackedCodes> PackedCodes::make(const at::Tensor& codes, const at::Tensor& scales, const Grid& grid) {
  if (!has_kernels(codes) || !grid.uniform() || !kernels::float_gemm_fuses()) return std::nullopt;
  return PackedCodes(codes.contiguous(), scales.contiguous(), grid);
}

PackedCodes::PackedCodes(const at::Tensor& codes, const at::Tensor& scales, const Grid& grid)
    : packing_(kernels::code_packing(grid)), outputs_(codes.size(0)), depth_(codes.size(1)) {
  const bool shared = scales.size(0) == 1;
  const int64_t groups = scales.size(1);
  if (codes.dim() != 2 || scales.dim() != 2 || (!shared && scales.size(0) != outputs_) || groups < 1 ||
      depth_ % groups != 0)
    fail("[PackedCodes] got codes {} and scales {}", fmt::join(codes.sizes(), "x"), fmt::join(scales.sizes(), "x"));
  const int64_t panels = parts(outputs_, kCodePanel);
  group_ = depth_ / groups;
  codes_ = at::empty({panels, packing_.panel_bytes(depth_)}, at::kByte);
  scales_ = at::empty({panels, groups, kCodePanel}, at::kFloat);
  kernels::pack_codes(codes.const_data_ptr<int8_t>(), outputs_, depth_, grid, codes_.mutable_data_ptr<uint8_t>());
  kernels::pack_code_scales(scales.const_data_ptr<float>(), shared ? 0 : groups, outputs_, groups,
                            scales_.mutable_data_ptr<float>());
}

kernels::CodePanels PackedCodes::view() const {
  return {packing_, codes_.const_data_ptr<uint8_t>(), scales_.const_data_ptr<float>(), outputs_, depth_, group_};
}

at::Tensor PackedCodes::product(const at::Tensor& x) const {
  if (x.size(-1) != depth_ || x.scalar_type() != at::kFloat || !x.is_cpu())
    fail("[PackedCodes] got an input {}, expected floats [..., {}] on the CPU", fmt::join(x.sizes(), "x"), depth_);
  // Profilers see this product as they see ATen's.
  RECORD_FUNCTION("detent::mm", std::vector<c10::IValue>());
  const at::Tensor in = x.detach().reshape({-1, depth_}).contiguous();
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = outputs_;
  at::Tensor out = at::empty({in.size(0), outputs_}, in.options());
  const kernels::CodeGemmRows rows{in.const_data_ptr<float>(), in.size(0), depth_, out.mutable_data_ptr<float>(),
                                   outputs_};
  rows.rows < kManyRows ? multiply_few(view(), rows) : multiply_many(view(), rows);
  return out.view(sizes);
}

}  // namespace detent::ops
