#include "detent/io/dtype.h"

#include <array>

#include "detent/base/error.h"
#include "detent/io/bytes.h"

namespace detent::io {
namespace {

struct DtypeInfo {
  Dtype dtype;
  std::string_view name;
  int bits;
};

constexpr std::array kDtypes{
    DtypeInfo{Dtype::kBool, "BOOL", 8},
    DtypeInfo{Dtype::kF4, "F4", 4},
    DtypeInfo{Dtype::kF6E2M3, "F6_E2M3", 6},
    DtypeInfo{Dtype::kF6E3M2, "F6_E3M2", 6},
    DtypeInfo{Dtype::kU8, "U8", 8},
    DtypeInfo{Dtype::kI8, "I8", 8},
    DtypeInfo{Dtype::kF8E5M2, "F8_E5M2", 8},
    DtypeInfo{Dtype::kF8E4M3, "F8_E4M3", 8},
    DtypeInfo{Dtype::kF8E8M0, "F8_E8M0", 8},
    DtypeInfo{Dtype::kF8E4M3Fnuz, "F8_E4M3FNUZ", 8},
    DtypeInfo{Dtype::kF8E5M2Fnuz, "F8_E5M2FNUZ", 8},
    DtypeInfo{Dtype::kI16, "I16", 16},
    DtypeInfo{Dtype::kU16, "U16", 16},
    DtypeInfo{Dtype::kF16, "F16", 16},
    DtypeInfo{Dtype::kBF16, "BF16", 16},
    DtypeInfo{Dtype::kI32, "I32", 32},
    DtypeInfo{Dtype::kU32, "U32", 32},
    DtypeInfo{Dtype::kF32, "F32", 32},
    DtypeInfo{Dtype::kC64, "C64", 64},
    DtypeInfo{Dtype::kF64, "F64", 64},
    DtypeInfo{Dtype::kI64, "I64", 64},
    DtypeInfo{Dtype::kU64, "U64", 64},
};

constexpr auto kOrder = [] {
  std::array<Dtype, kDtypes.size()> order{};
  for (size_t i = 0; i < kDtypes.size(); ++i) order[i] = kDtypes[i].dtype;
  return order;
}();

constexpr bool table_is_in_enum_order() {
  for (size_t i = 0; i < kDtypes.size(); ++i) {
    if (kDtypes[i].dtype != static_cast<Dtype>(i)) return false;
  }
  return true;
}
static_assert(table_is_in_enum_order());

const DtypeInfo& info(Dtype dtype) { return kDtypes.at(static_cast<size_t>(dtype)); }

}  // namespace

std::span<const Dtype> all_dtypes() { return kOrder; }

std::string_view dtype_name(Dtype dtype) { return info(dtype).name; }

std::optional<Dtype> parse_dtype(std::string_view name) {
  for (const DtypeInfo& entry : kDtypes) {
    if (entry.name == name) return entry.dtype;
  }
  return std::nullopt;
}

int dtype_bits(Dtype dtype) { return info(dtype).bits; }

int64_t dtype_size(Dtype dtype) {
  const DtypeInfo& entry = info(dtype);
  if (entry.bits % 8 != 0) fail("an element of {} has {} bits, not whole bytes", entry.name, entry.bits);
  return entry.bits / 8;
}

std::optional<uint64_t> element_count(std::span<const int64_t> shape) {
  uint64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0) return std::nullopt;
    const auto product = checked_multiply(count, static_cast<uint64_t>(size));
    if (!product) return std::nullopt;
    count = *product;
  }
  return count;
}

std::optional<uint64_t> tensor_bytes(Dtype dtype, std::span<const int64_t> shape) {
  const auto count = element_count(shape);
  if (!count) return std::nullopt;
  const auto bits = checked_multiply(*count, static_cast<uint64_t>(info(dtype).bits));
  if (!bits || *bits % 8 != 0) return std::nullopt;
  return *bits / 8;
}

}  // namespace detent::io
