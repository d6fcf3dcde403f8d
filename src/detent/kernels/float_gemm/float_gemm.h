// Products of float matrices. Class: exact against the reference, which is one chain of fused multiply-adds an output,
// from the first element of the reduction to the last: neither blocking nor threads nor the width of vectors changes a
// bit.
#pragma once
#include <cstdint>

namespace detent::kernels {

// A block of rows stays in the second-level cache while panels of a block of columns pass by, that block in the third.
// Sums go through memory once for each kFloatGemmDepth elements. Who cuts rows or columns does well to cut there.
inline constexpr int64_t kFloatGemmRows = 48, kFloatGemmColumns = 768, kFloatGemmDepth = 768;

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

// The same in steps, for threads that share what is packed: columns [first, last) and elements [begin, end) of the
// reduction, at most a block of each. `data`, aligned to 64 bytes, holds end - begin floats for each column, of as many
// columns as multiples of 32 take.
struct PackedColumns {
  const float* data;
  int64_t first, last, begin, end;
};
// Writes a part of them; `packed` is where column `first` lies, a multiple of 32 behind the block's first. Columns that
// the last panel lacks are written as zeros.
void float_gemm_pack(const FloatLines& right, int64_t first, int64_t last, int64_t begin, int64_t end, float* packed);
// Continues the sums of rows [row_begin, row_end) in out, which begin where the reduction does, over the block's part.
void float_gemm_rows(const FloatLines& left, int64_t row_begin, int64_t row_end, const PackedColumns& right, float* out,
                     int64_t out_stride);
// body(block without data) for the blocks of columns [first, last), in the order of the reduction. Depths are cut in
// about equal parts: a short one costs as much memory traffic.
template <class Body>
void for_float_gemm_blocks(int64_t first, int64_t last, int64_t depth, const Body& body) {
  const int64_t cuts = (depth + kFloatGemmDepth - 1) / kFloatGemmDepth;
  for (int64_t column = first; column < last; column += kFloatGemmColumns)
    for (int64_t cut = 0; cut < cuts; ++cut) {
      const int64_t end = column + kFloatGemmColumns < last ? column + kFloatGemmColumns : last;
      body(PackedColumns{nullptr, column, end, depth * cut / cuts, depth * (cut + 1) / cuts});
    }
}

// Whether this instruction set multiplies and adds with one rounding; SSE4 and the baseline round twice.
bool float_gemm_fuses();

namespace reference {  // the definition: three loops
void float_gemm(const FloatLines& left, const FloatLines& right, int64_t depth, const FloatGemmPart& part, float* out,
                int64_t out_stride, bool fused);
}  // namespace reference

}  // namespace detent::kernels
