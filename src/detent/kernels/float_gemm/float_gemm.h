// Products of float matrices. Class: exact against the reference, which is one chain of fused multiply-adds an output,
// from the first element of the reduction to the last: neither blocking nor threads nor the width of vectors changes a
// bit.
#pragma once
#include <cstdint>

namespace detent::kernels {

// Columns that are packed at a time: who cuts columns does well to cut there.
inline constexpr int64_t kFloatGemmColumns = 768;

// An operand by strides, in elements: entry (line, k) lies at data[line * line_stride + k * depth_stride]. One of the
// two strides should be 1.
struct FloatLines {
  const float* data;
  int64_t line_stride, depth_stride;
};

// out[i, j] = sum_k left(i, k) * right(j, k) for rows i in [row_begin, row_end) and columns j in [column_begin,
// column_end), 0 for depth 0; out has its columns side by side and `out_stride` elements from row to row. Each calling
// thread keeps 2.5 MB for packed operands.
struct FloatGemmPart {
  int64_t row_begin, row_end, column_begin, column_end;
};
void float_gemm(const FloatLines& left, const FloatLines& right, int64_t depth, const FloatGemmPart& part, float* out,
                int64_t out_stride);

// Whether this instruction set multiplies and adds with one rounding; SSE4 and the baseline round twice.
bool float_gemm_fuses();

namespace reference {  // the definition: three loops
void float_gemm(const FloatLines& left, const FloatLines& right, int64_t depth, const FloatGemmPart& part, float* out,
                int64_t out_stride, bool fused);
}  // namespace reference

}  // namespace detent::kernels
