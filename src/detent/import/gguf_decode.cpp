#include "detent/import/gguf_decode.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "detent/base/error.h"
#include "detent/format/ggml_blocks.h"
#include "detent/format/small_float.h"

namespace detent {

namespace {

constexpr int64_t kPart = int64_t{1} << 22;  // bytes read at a time

void unpack_row(const io::GgmlType& type, std::span<const std::byte> bytes, std::span<float> values) {
  if (type.name == "F32") {
    std::memcpy(values.data(), bytes.data(), bytes.size());
  } else if (const SmallFloat* small = find_small_float(type.name)) {
    for (size_t i = 0; i < values.size(); ++i) {
      uint16_t bits;
      std::memcpy(&bits, &bytes[i * sizeof bits], sizeof bits);
      values[i] = small->from_bits(bits);
    }
  } else {
    unpack_blocks(*find_ggml_block(type.name), bytes, values);
  }
}

}  // namespace

bool can_decode(const io::GgmlType& type) {
  return type.name == "F32" || find_small_float(type.name) || find_ggml_block(type.name);
}

int64_t row_bytes(const io::GgmlType& type, int64_t columns) {
  return columns / type.block_elements * type.block_bytes;
}

void check_order(std::span<const int64_t> order, int64_t rows) {
  if (!order.empty() && static_cast<int64_t>(order.size()) != rows)
    fail("[gguf] a tensor of q or k has {} rows, its heads have {}; the config does not fit the weights", rows,
         order.size());
}

at::Tensor decode_tensor(std::span<const std::byte> bytes, const io::GgmlType& type, at::IntArrayRef shape,
                         std::span<const int64_t> order, const DoneWith& done) {
  if (!can_decode(type)) fail("[gguf] this version does not read tensors of type {}", type.name);
  at::Tensor value = at::empty(shape, at::kFloat);
  const int64_t columns = value.size(-1), rows = value.numel() / columns, size = row_bytes(type, columns);
  check_order(order, rows);
  auto* values = value.mutable_data_ptr<float>();
  const int64_t at_a_time = std::max<int64_t>(1, kPart / size);
  for (int64_t first = 0; first < rows; first += at_a_time) {
    const int64_t end = std::min(first + at_a_time, rows);
    at::parallel_for(first, end, 1, [&](int64_t begin, int64_t stop) {
      for (int64_t i = begin; i < stop; ++i)
        unpack_row(type, bytes.subspan(i * size, size),
                   {values + (order.empty() ? i : order[i]) * columns, static_cast<size_t>(columns)});
    });
    if (done) done(bytes.subspan(first * size, (end - first) * size));
  }
  return value;
}

}  // namespace detent
