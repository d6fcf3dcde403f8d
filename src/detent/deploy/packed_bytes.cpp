#include "detent/deploy/packed_bytes.h"

#include <ATen/ATen.h>

#include <span>

#include "detent/deploy/folder_parts.h"
#include "detent/format/packed_fp4.h"
#include "detent/format/packed_ints.h"

namespace detent {

namespace {
template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}
}  // namespace

std::vector<std::byte> packed_ints(const PackedMatrix& matrix) {
  const int64_t rows = matrix.levels.size(0), columns = matrix.levels.size(1);
  const auto words = static_cast<size_t>(packed_words(columns, matrix.bits));
  const at::Tensor values = matrix.levels.add(matrix.zero_point);
  std::vector<uint32_t> all(rows * words);
  for (int64_t row = 0; row < rows; ++row)
    pack_ints({values.const_data_ptr<int8_t>() + row * columns, static_cast<size_t>(columns)}, matrix.bits,
              std::span(all).subspan(row * words, words));
  return bytes_of(all);
}

std::vector<std::byte> packed_floats(const PackedMatrix& matrix) {
  std::vector<std::byte> bytes(matrix.levels.numel() / 2);
  pack_fp4({matrix.levels.const_data_ptr<int8_t>(), static_cast<size_t>(matrix.levels.numel())}, bytes);
  return bytes;
}

std::vector<std::byte> packed_zero_points(const PackedMatrix& matrix) {
  const int64_t rows = matrix.levels.size(0), groups = matrix.scales.size(1);
  std::vector<uint32_t> column(packed_words(rows, matrix.bits)), all;
  pack_ints(std::vector<int8_t>(rows, static_cast<int8_t>(matrix.zero_point)), matrix.bits, column);
  for (const uint32_t word : column) all.insert(all.end(), groups, word);
  return bytes_of(all);
}

std::vector<std::byte> packed_scales(const PackedMatrix& matrix) {
  if (matrix.kind == PackedKind::kInts) return float_bytes(matrix.scales, matrix.scale_dtype());
  std::vector<uint8_t> codes(matrix.scales.numel());
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = e8m0_code(2 * matrix.scales.const_data_ptr<float>()[i]).value();
  return bytes_of(codes);
}

}  // namespace detent
