// Float rows times a weight that is kept as packed codes (kernels/code_gemm), for inference: the memory of the codes
// instead of that of floats, and few rows wait for less of it.
#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "detent/kernels/code_gemm/code_gemm.h"

namespace detent::ops {

class PackedCodes {
 public:
  // codes int8 [outputs, depth]; scales float32 as stored, [outputs, groups], or [1, 1] for one that all share. Nothing
  // where a product would have no kernel: another device, grids that are not uniform, processors without fused
  // multiply-adds.
  static std::optional<PackedCodes> make(const at::Tensor& codes, const at::Tensor& scales, const Grid& grid);

  // x float32 [..., depth] on the CPU times the weight transposed: [..., outputs], without a graph. Every output is one
  // chain of fused multiply-adds over the values, whatever the number of rows and threads: from 16 rows on the bits of
  // ops::linear with the dequantized weight.
  at::Tensor product(const at::Tensor& x) const;
  int64_t bytes() const { return codes_.numel() + 4 * scales_.numel(); }

 private:
  PackedCodes(const at::Tensor& codes, const at::Tensor& scales, const Grid& grid);
  kernels::CodePanels view() const;

  kernels::CodePacking packing_;
  at::Tensor codes_, scales_;  // kernels::CodePanels' layout
  int64_t outputs_, depth_, group_;
};

}  // namespace detent::ops
