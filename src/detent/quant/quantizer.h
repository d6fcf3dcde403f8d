// Value <-> codes <-> scales. Deterministic, without gradients; this alone decides what is exported.
#pragma once
#include <ATen/core/Tensor.h>

#include "detent/format/spec.h"

namespace detent {

// A tensor as stored: value = dequantize(codes, scales). Rows are the last dimension's runs.
struct Quantized {
  at::Tensor codes;   // int8, the shape of the tensor
  at::Tensor scales;  // float32 [rows, groups] as stored (rounded to the format); tensor granularity: [1, 1]
  QuantSpec spec;
};

// codes and scales of x (float32, contiguous, any shape; the last dimension is the matmul's input). `learned` holds the
// raw learned parameter, one element a group, when spec.scale_rule is learned; undefined otherwise.
Quantized quantize(const at::Tensor& x, const QuantSpec& spec, const at::Tensor& learned = {});
// float32, bit-equal to the value of the training forward. Rotated specs come back unrotated (kHadamard) or stay
// rotated (kHadamardHalf).
at::Tensor dequantize(const Quantized& quantized);
// dequantize(quantize(x)) without materialising codes.
at::Tensor quantized_value(const at::Tensor& x, const QuantSpec& spec, const at::Tensor& learned = {});

// [rows, groups] for a tensor of this shape under this granularity.
std::vector<int64_t> scale_shape(at::IntArrayRef shape, const QuantSpec& spec);
// The raw parameter a learned scale starts from: the scale that `rule` gives for x, times spec.learned_unit.
at::Tensor initial_scale(const at::Tensor& x, const QuantSpec& spec, ScaleRule rule);

}  // namespace detent
