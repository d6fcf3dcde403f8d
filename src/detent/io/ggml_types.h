// The storage types of GGUF tensors. Ids and sizes: ggml.h and ggml-common.h of ggml-org/ggml.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace detent::io {

// A row is a whole number of blocks of block_elements values, each block_bytes long.
struct GgmlType {
  int32_t id;
  std::string_view name;  // "Q4_0"
  int64_t block_elements;
  int64_t block_bytes;
};

std::span<const GgmlType> ggml_types();
const GgmlType* find_ggml_type(int32_t id);             // null when unknown
const GgmlType* find_ggml_type(std::string_view name);  // in any case: "q4_0"; null when unknown

// Bytes of a tensor of ne[0] x ne[1] x ... elements (ne[0] is the row length). Nothing when a size is not positive, the
// product overflows or a row is not a whole number of blocks.
std::optional<uint64_t> ggml_bytes(const GgmlType& type, std::span<const int64_t> ne);

}  // namespace detent::io
