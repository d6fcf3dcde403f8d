// Float rows times a weight kept as the codes of a uniform grid: codes become values in registers, where a product of
// few rows would otherwise wait for floats from memory. Class: exact against the reference, whose outputs are one chain
// of fused multiply-adds each, over the values that dequantize_group gives: float_gemm's bits over those values.
#pragma once
#include <cstdint>

#include "detent/format/grid.h"

namespace detent::kernels {

inline constexpr int64_t kCodePanel = 16;  // outputs that lie side by side

// How a uniform grid's codes are packed: level = byte + base, both exact in float; two to a byte where all fit 4 bits.
struct CodePacking {
  bool halves;
  float base;  // the lowest level
  int64_t panel_bytes(int64_t depth) const { return depth * (halves ? kCodePanel / 2 : kCodePanel); }
};
CodePacking code_packing(const Grid& grid);

// A packed weight [outputs, depth]. Outputs that the last panel lacks are packed as byte 0 under scale 0.
struct CodePanels {
  CodePacking packing;
  const uint8_t* codes;  // [panels, depth, 16], or [panels, depth, 8]: output i low, output 8 + i high in byte i
  const float* scales;   // [panels, depth / group, 16]
  int64_t outputs, depth, group;  // group: elements of a row that share a scale; divides depth
  int64_t panels() const { return (outputs + kCodePanel - 1) / kCodePanel; }
};
// codes int8 [outputs, depth] and scales [outputs, groups], row by row, into the layout of CodePanels. scale_stride:
// elements from one output's scales to the next's, 0 where all share them.
void pack_codes(const int8_t* codes, int64_t outputs, int64_t depth, const Grid& grid, uint8_t* panels);
void pack_code_scales(const float* scales, int64_t scale_stride, int64_t outputs, int64_t groups, float* panels);

// out[i, j] = sum_k x[i, k] * value(j, k) for `rows` rows i and the outputs j of panels [first, last); rows of x and
// out are x_stride and out_stride elements apart. Meant for few rows: codes are read again for every four.
struct CodeGemmRows {
  const float* x;
  int64_t rows, x_stride;
  float* out;  // of output 0
  int64_t out_stride;
};
void code_gemm(const CodePanels& w, const CodeGemmRows& rows, int64_t first, int64_t last);
// For many rows: what float_gemm_pack makes of the values of outputs [first, last), first a multiple of 16.
void code_gemm_pack(const CodePanels& w, int64_t first, int64_t last, int64_t begin, int64_t end, float* packed);

namespace reference {
void code_gemm(const CodePanels& w, const CodeGemmRows& rows, int64_t first, int64_t last, bool fused);
float code_value(const CodePanels& w, int64_t output, int64_t k);
}  // namespace reference

}  // namespace detent::kernels
