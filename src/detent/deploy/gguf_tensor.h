// The bytes of one tensor in a GGUF file; the way back is import/gguf_decode.h.
#pragma once
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "detent/io/ggml_types.h"
#include "detent/quant/shipped.h"

namespace detent {

// Whether the type holds every value bit for bit. float32 values, any shape; the last dimension is a row.
bool holds_values(const io::GgmlType& type, const at::Tensor& value);

// Where bytes go, some rows' at a time.
using ByteSink = std::function<void(std::span<const std::byte>)>;

// The tensor's rows, in the given order (empty: as they are): as its file packs them where that has this type, else
// packed from its codes where it has them and the type is a block type, else found from its values. Fails, naming it
// and the row, counted from first_row, when a value has no place.
void encode_tensor(const std::string& name, const ShippedTensor& tensor, const io::GgmlType& type,
                   std::span<const int64_t> order, const ByteSink& sink, int64_t first_row = 0);

}  // namespace detent
