// The values of a tensor in a GGUF file.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstddef>
#include <functional>
#include <span>

#include "detent/io/ggml_types.h"

namespace detent {

bool can_decode(const io::GgmlType& type);
// Bytes of a row of so many values, a whole number of blocks.
int64_t row_bytes(const io::GgmlType& type, int64_t columns);
// Fails unless a tensor of q or k has as many rows as its heads (order: gguf_row_order; empty for other tensors).
void check_order(std::span<const int64_t> order, int64_t rows);

// Told of bytes that will not be read again.
using DoneWith = std::function<void(std::span<const std::byte> bytes)>;

// float32 of shape [rows, columns] (or [columns]), row i of the bytes at row order[i]; empty: at row i.
at::Tensor decode_tensor(std::span<const std::byte> bytes, const io::GgmlType& type, at::IntArrayRef shape,
                         std::span<const int64_t> order, const DoneWith& done = {});

}  // namespace detent
