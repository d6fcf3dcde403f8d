// The codes of a tensor in a GGUF file.
#pragma once
#include <cstddef>
#include <optional>
#include <span>

#include "detent/io/ggml_types.h"
#include "detent/quant/quantizer.h"

namespace detent {

// Codes and scales of a matrix [rows, columns], row i of the bytes at row order[i] (empty: at row i), whose products
// are the values that decode_tensor gives, bit for bit. Nothing for types whose levels no uniform grid has, and for a
// tensor with a level that its type's grid has not.
std::optional<Quantized> decode_codes(std::span<const std::byte> bytes, const io::GgmlType& type, at::IntArrayRef shape,
                                      std::span<const int64_t> order);

}  // namespace detent
