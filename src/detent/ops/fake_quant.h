// Fake quantization of whole tensors: the kernels, row by row, over the thread pool; composites on tensors that they
// cannot read (ops/device.h). No autograd here (see qat/).
#pragma once
#include <ATen/core/Tensor.h>

#include <functional>

#include "detent/base/philox.h"
#include "detent/ops/row_quantizer.h"

namespace detent::ops {

// x as rows of its last dimension.
struct Rows {
  int64_t rows, columns;
};
Rows rows_of(const at::Tensor& x);
// Refuses what the kernels do not take: anything but a contiguous float32 CPU tensor.
void check_float_rows(const at::Tensor& x, const char* op);

struct FakeQuantWants {
  bool value = true, codes = false, mask = false;
};
struct FakeQuantResult {
  at::Tensor value;  // float32, shape of x
  at::Tensor codes;  // int8, shape of x
  // uint8 [rows, mask_bytes(columns)]: one bit an element, in the quantized (rotated) basis; composites: bool, x's
  // shape
  at::Tensor mask;
  at::Tensor scales;  // float32 [rows, groups] as stored; [1, 1] for tensor granularity
};
// `scales` undefined: found by the spec's rule. Otherwise used as given (as stored: already in the scale format).
FakeQuantResult fake_quant(const at::Tensor& x, const at::Tensor& scales, const QuantSpec& spec,
                           const kernels::Surrogate& surrogate, FakeQuantWants wants);
at::Tensor dynamic_scales(const at::Tensor& x, const QuantSpec& spec);
// The scales that raw learned parameters [rows, groups] stand for.
at::Tensor learned_scales(const at::Tensor& parameters, const QuantSpec& spec);
at::Tensor dequantize_codes(const at::Tensor& codes, const at::Tensor& scales, const QuantSpec& spec);

// Backward with a stored mask: unrotate(mask * rotate(g)) for kHadamard, unrotate(mask * g) for kHadamardHalf.
at::Tensor masked_backward(const at::Tensor& g, const at::Tensor& mask, const QuantSpec& spec);
// Backward of learned scales; dscale [rows, groups] is d(loss)/d(scale), float32.
struct LearnedGradient {
  at::Tensor dx, dscale;
};
LearnedGradient learned_backward(const at::Tensor& x, const at::Tensor& g, const at::Tensor& scales,
                                 const QuantSpec& spec, const kernels::Surrogate& surrogate);

at::Tensor hadamard(const at::Tensor& x);
// x + sigma * N(0, 1) from the stream, element by element.
at::Tensor add_gaussian(const at::Tensor& x, float sigma, const RandomStream& stream);

// Runs body(first_row, last_row) over the thread pool; rows are independent, so any split gives the same bits.
void for_rows(int64_t rows, int64_t columns, const std::function<void(int64_t, int64_t)>& body);

}  // namespace detent::ops
