// A matrix as integers of a few bits times scales: what compressed-tensors packs.
#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "detent/io/dtype.h"
#include "detent/quant/shipped.h"

namespace detent {

struct PackedMatrix {
  int bits;
  Granularity granularity;
  at::Tensor levels;  // int8 [rows, columns]: value = level * scale, one float32 product
  at::Tensor scales;  // float32 [rows, groups]; [1, 1] for a whole tensor

  io::Dtype scale_dtype() const;  // the narrowest of BF16, F16 and F32 that holds every scale
};

// From codes where the tensor has them, else found from its values: the fewest bits, then the coarsest groups of row,
// 256, 128, 64, 32. Nothing when they lie on no such grid, or a scale's half is no float32.
std::optional<PackedMatrix> packed_matrix(const ShippedTensor& tensor);

}  // namespace detent
