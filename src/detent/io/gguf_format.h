// What reader and writer of GGUF share.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/io/gguf.h"

namespace detent::io {

inline constexpr std::string_view kGgufMagic = "GGUF";
inline constexpr uint32_t kGgufVersion = 3;
inline constexpr std::string_view kGgufAlignmentKey = "general.alignment";
inline constexpr size_t kGgufMaxName = 63;  // GGML_MAX_NAME less the terminator
inline constexpr size_t kGgufMaxKey = 65535;
inline constexpr size_t kGgufMaxDims = 4;
inline constexpr uint32_t kGgufArray = 9;

// The file's type id of each of GgufScalars.
inline constexpr std::array<uint32_t, 12> kGgufTypeIds = {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12};
inline constexpr size_t kGgufScalars = kGgufTypeIds.size();
static_assert(std::tuple_size_v<GgufScalars> == kGgufScalars);

// The alignment that values ask for, 32 when they do not. context starts the error.
inline uint64_t gguf_alignment(const std::vector<GgufKeyValue>& values, std::string_view context) {
  for (const auto& [key, value] : values) {
    if (key != kGgufAlignmentKey) continue;
    const auto* alignment = value.get_if<uint32_t>();
    if (!alignment) fail("{}: {} is {}, expected uint32", context, key, gguf_type_name(value));
    if (*alignment == 0 || (*alignment & (*alignment - 1)) != 0) {
      fail("{}: {} is {}, expected a power of two", context, key, *alignment);
    }
    return *alignment;
  }
  return 32;
}

// Bytes of a tensor whose name and sizes must be lawful.
inline uint64_t checked_gguf_bytes(std::string_view name, const GgmlType& type, std::span<const int64_t> ne,
                                   std::string_view context) {
  for (const int64_t size : ne) {
    if (size < 1) fail("{}: tensor {} has a dimension of {}", context, in_quotes(name), size);
  }
  if ((ne.empty() ? 1 : ne[0]) % type.block_elements != 0) {
    fail("{}: tensor {} has rows of {} values, no multiple of the {} of a {} block", context, in_quotes(name),
         ne.empty() ? 1 : ne[0], type.block_elements, type.name);
  }
  const auto bytes = ggml_bytes(type, ne);
  if (!bytes) fail("{}: the size of tensor {} overflows", context, in_quotes(name));
  return *bytes;
}

}  // namespace detent::io
