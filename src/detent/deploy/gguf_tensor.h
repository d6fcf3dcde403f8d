// The bytes of one tensor in a GGUF file, and back.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "detent/io/ggml_types.h"
#include "detent/quant/shipped.h"

namespace detent {

bool can_decode(const io::GgmlType& type);
// Whether the type holds every value bit for bit. float32 values, any shape; the last dimension is a row.
bool holds_values(const io::GgmlType& type, const at::Tensor& value);

// The tensor's rows, in the given order (empty: as they are), packed from its codes where it has them and the type is a
// block type, else found from its values. Fails, naming it, when a value has no place.
std::vector<std::byte> encode_tensor(const std::string& name, const ShippedTensor& tensor, const io::GgmlType& type,
                                     std::span<const int64_t> order);

// float32 of shape [rows, columns] (or [columns]), row i of the bytes at row order[i].
at::Tensor decode_tensor(std::span<const std::byte> bytes, const io::GgmlType& type, at::IntArrayRef shape,
                         std::span<const int64_t> order);

}  // namespace detent
