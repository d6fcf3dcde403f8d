// The element types of safetensors.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace detent::io {

// In order of rising alignment, the order of the official library's enum: sorting tensors by falling Dtype, then name,
// gives its file byte for byte.
enum class Dtype {
  kBool,
  kF4,
  kF6E2M3,
  kF6E3M2,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kF8E4M3Fnuz,
  kF8E5M2Fnuz,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kC64,
  kF64,
  kI64,
  kU64
};

std::span<const Dtype> all_dtypes();
std::string_view dtype_name(Dtype dtype);  // as in files: "BF16"
std::optional<Dtype> parse_dtype(std::string_view name);
int dtype_bits(Dtype dtype);      // bits an element: 4 for F4
int64_t dtype_size(Dtype dtype);  // bytes an element; fails for F4 and F6, which have none

// Elements of shape, and bytes of a tensor. Nothing when a size is negative, the product overflows or the elements do
// not fill whole bytes.
std::optional<uint64_t> element_count(std::span<const int64_t> shape);
std::optional<uint64_t> tensor_bytes(Dtype dtype, std::span<const int64_t> shape);

}  // namespace detent::io
