#include "detent/ops/code_product.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <vector>

#include "detent/base/error.h"
#include "detent/kernels/float_gemm/float_gemm.h"
#include "detent/ops/device.h"

namespace detent::ops {

namespace {

using kernels::kCodePanel;

constexpr int64_t kLeastWork = 1 << 16;  // multiplications worth a thread
// From this many rows on a better product is worth unpacking the weight into floats first.
constexpr int64_t kManyRows = 48;
// Of x: what stays in the second-level cache while all panels pass by.
constexpr int64_t kBlockElements = 1 << 16;
// A part of many rows: rows, and elements of the weight, which stay in the third-level cache as floats.
constexpr int64_t kSliceRows = 512, kSliceElements = 1 << 20;

int64_t parts(int64_t size, int64_t part) { return (size + part - 1) / part; }

// Codes become values in registers, for every four rows again.
void multiply_few(const kernels::CodePanels& w, const kernels::CodeGemmRows& all) {
  const int64_t pair_work = std::max<int64_t>(1, all.rows * 2 * kCodePanel * w.depth);
  const int64_t block = std::max<int64_t>(1, kBlockElements / std::max<int64_t>(1, w.depth) / 4) * 4;
  at::parallel_for(0, parts(w.panels(), 2), parts(kLeastWork, pair_work), [&](int64_t first, int64_t last) {
    for (int64_t row = 0; row < all.rows; row += block)
      kernels::code_gemm(w,
                         {all.x + row * all.x_stride, std::min(block, all.rows - row), all.x_stride,
                          all.out + row * all.out_stride, all.out_stride},
                         2 * first, std::min(2 * last, w.panels()));
  });
}

// A slice of outputs becomes values in memory that stays in cache, for float_gemm.
void multiply_many(const kernels::CodePanels& w, const kernels::CodeGemmRows& all) {
  const int64_t row_parts = parts(all.rows, kSliceRows);
  const int64_t most = std::clamp<int64_t>(kSliceElements / kCodePanel / std::max<int64_t>(1, w.depth), 4, 48);
  const int64_t slice = std::clamp<int64_t>(w.panels() * row_parts / at::get_num_threads(), 2, most);
  const int64_t slices = parts(w.panels(), slice), width = slice * kCodePanel;
  at::parallel_for(0, slices * row_parts, 1, [&](int64_t begin, int64_t end) {
    const at::Tensor memory = at::empty({w.depth, width}, at::kFloat);  // of the block cache
    float* values = memory.mutable_data_ptr<float>();
    for (int64_t i = begin; i < end; ++i) {
      const int64_t panel = i / row_parts * slice, row = i % row_parts * kSliceRows, output = panel * kCodePanel;
      if (i == begin || row == 0) kernels::code_values(w, panel, std::min(panel + slice, w.panels()), values, width);
      kernels::float_gemm({all.x + row * all.x_stride, all.x_stride, 1}, {values, 1, width}, w.depth,
                          {0, std::min(kSliceRows, all.rows - row), 0, std::min(width, w.outputs - output)},
                          all.out + row * all.out_stride + output, all.out_stride);
    }
  });
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
