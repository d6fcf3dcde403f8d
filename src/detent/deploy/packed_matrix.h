// A matrix as integers of a few bits times scales: what compressed-tensors
// packs.
#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "detent/format/packed_ints.h"
#include "detent/io/dtype.h"
#include "detent/quant/shipped.h"

namespace detent {

struct PackedMatrix {
  PackedKind kind = PackedKind::kInts;
  int bits = 4;
  int zero_point = 0;  // what the file's integers exceed the levels by
  Granularity granularity;
  at::Tensor levels;  // int8 [rows, columns]: value = level * scale, one float32
                      // product; twice an E2M1 for kFp4
  at::Tensor scales;  // float32 [rows, groups]; [1, 1] for a whole tensor; for
                      // kFp4 half of those in the file

  io::Dtype scale_dtype() const;  // the narrowest of BF16, F16 and F32 that
                                  // holds every scale; U8 for kFp4
};

// From codes where the tensor has them, else found from its values: integers of
// 2 to 4 bits, 4-bit floats, integers of 5 to 8; the coarsest groups of row,
// 256, 128, 64, 32, 16. Nothing when they lie on no such grid, or a scale's
// half is no float32.
std::optional<PackedMatrix> packed_matrix(const ShippedTensor& tensor);

}  // namespace detent
