// A matrix packed by compressed-tensors: `X.weight_packed` (or int8 `X.weight`), `X.weight_scale`, `X.weight_shape` and
// `X.weight_zero_point` together are `X.weight`.
#pragma once
#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "detent/import/compressed_config.h"
#include "detent/io/safetensors.h"
#include "detent/quant/quantizer.h"

namespace detent {

// The parts, proved to belong together.
struct PackedTensor {
  const io::TensorView *values, *scale,
      *zero_point;  // zero_point null when symmetric
  PackedScheme scheme;
  int64_t rows, columns;

  std::string type() const;  // "int4", "mxfp4"
  int64_t groups() const;    // of a row
};

bool is_beside_packed(const std::string& name);  // scale, shape or zero point of a matrix
// The module whose packed matrix this is; nothing when it is an ordinary tensor.
std::optional<std::string> packed_module(const io::TensorView& view);
// Fails, naming file and module, on parts that are missing or do not fit the scheme.
PackedTensor open_packed(const io::SafetensorsReader& file, const io::TensorView& view, const std::string& module,
                         const PackedScheme& scheme);
// float32 [rows, columns], as the library decompresses it with scales in float32. Lets go of the file's pages.
at::Tensor decode_packed(const io::SafetensorsReader& file, const PackedTensor& packed);

// Its codes and scales, whose products decode_packed gives; nothing where there are zero points,
// 4-bit floats, 1 bit, or codes that the bits do not hold.
std::optional<Quantized> decode_codes(const io::SafetensorsReader& file, const PackedTensor& packed);

}  // namespace detent
