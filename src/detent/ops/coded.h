// Tensors kept as the codes of a uniform grid, and the linear layer that multiplies them: integer sums, scales at the
// end. A linear layer's input lies in rows of bytes, its weight in panels (kernels/int_gemm).
#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "detent/format/spec.h"
#include "detent/kernels/fake_quant/fake_quant.h"

namespace detent::ops {

// How an input and a weight meet: whole levels of both grids, and the segments of the reduction within which no scale
// changes. The specs are those of the product's basis: where both rotate back, neither does here, which changes no
// product but in rounding. Absent where the product of the values is not a scaled sum of integers: grids that are not
// uniform, two rotations, groups of which neither divides the other, sums that could leave int32.
struct CodePair {
  QuantSpec input, weight;
  int64_t depth, segment;
};
std::optional<CodePair> code_pair(const QuantSpec& input, const QuantSpec& weight, int64_t depth);

struct CodedRows {
  at::Tensor bytes;   // uint8 [rows, padded depth], code - lowest code
  at::Tensor sums;    // int32 [rows, segments] of the bytes
  at::Tensor scales;  // float32 as stored, [rows, groups]; NaN for a row that holds one
  at::Tensor mask;    // bits [rows, mask_bytes(depth)] of the surrogate, or undefined
};
struct CodedWeight {
  at::Tensor panels;       // int8, kernels/int_gemm's layout
  at::Tensor scales;       // float32 as stored, [outputs, groups]; [1, 1] for tensor granularity
  at::Tensor terms;        // int32 [segments, padded outputs]: what the input grid's offset adds
  at::Tensor unit_scales;  // float32 [segments, padded outputs]: scales times the units of both grids
  at::Tensor mask;         // bits [outputs, mask_bytes(depth)], or undefined
};

// x as rows of its last dimension; w [outputs, depth]. scales: given (learned), or undefined to find them by the rule.
CodedRows code_rows(const CodePair& pair, const at::Tensor& x, const at::Tensor& scales,
                    const kernels::Surrogate& surrogate);
CodedWeight code_weight(const CodePair& pair, const at::Tensor& w, const at::Tensor& scales,
                        const kernels::Surrogate& surrogate);
// float32 [rows, outputs]: sum over the reduction of input value times weight value, exact in the levels and rounded
// only where scales are applied (docs/numerics.md). Bit-equal for any number of threads and on every instruction set.
at::Tensor int_linear(const CodePair& pair, const CodedRows& x, const CodedWeight& w);
// The values that the codes stand for, float32 [rows, depth] and [outputs, depth], in the basis of the product.
at::Tensor row_values(const CodePair& pair, const CodedRows& x);
at::Tensor weight_values(const CodePair& pair, const CodedWeight& w);

}  // namespace detent::ops
