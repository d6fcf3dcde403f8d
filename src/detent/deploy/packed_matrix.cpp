#include "detent/deploy/packed_matrix.h"

#include <ATen/ATen.h>

#include <bit>

#include "detent/deploy/recover.h"
#include "detent/format/packed_ints.h"
#include "detent/format/small_float.h"
#include "detent/quant/quantizer.h"

namespace detent {

namespace {

bool holds_all(const SmallFloat& type, const at::Tensor& values) {
  const float* value = values.const_data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i)
    if (std::bit_cast<uint32_t>(type.from_bits(type.to_bits(value[i]))) != std::bit_cast<uint32_t>(value[i]))
      return false;
  return true;
}

std::optional<PackedMatrix> from_codes(const Quantized& quantized) {
  const Grid& grid = quantized.spec.grid;
  const auto fit = packed_fit(grid);
  if (!fit || quantized.spec.rotation != Rotation::kNone) return std::nullopt;
  int8_t levels[256] = {};
  for (int code = grid.lo(); code <= grid.hi(); ++code)
    levels[static_cast<uint8_t>(code)] = static_cast<int8_t>(grid.level(code) / fit->factor);
  PackedMatrix matrix{fit->bits, quantized.spec.granularity, quantized.codes.contiguous().clone(),
                      quantized.scales.contiguous().mul(fit->factor)};
  if (!at::equal(matrix.scales / fit->factor, quantized.scales)) return std::nullopt;  // half of the smallest float
  auto* code = matrix.levels.mutable_data_ptr<int8_t>();
  for (int64_t i = 0; i < matrix.levels.numel(); ++i) code[i] = levels[static_cast<uint8_t>(code[i])];
  return matrix;
}

std::optional<float> recover_any(std::span<const float> values, const LevelSet& set, std::span<int8_t> levels) {
  const auto half = recover_scale(values, {set, is_half}, levels);
  return half ? half : recover_scale(values, {set, nullptr}, levels);
}

std::optional<PackedMatrix> recover(const at::Tensor& value, int bits, const Granularity& granularity) {
  const int64_t rows = value.size(0), columns = value.size(1), group = granularity.group_length(rows, columns);
  PackedMatrix matrix{bits, granularity, at::empty({rows, columns}, at::kChar),
                      at::empty({rows, columns / group}, at::kFloat)};
  const LevelSet set{-(1 << (bits - 1)), (1 << (bits - 1)) - 1};
  for (int64_t g = 0; g < rows * columns / group; ++g) {
    const auto size = static_cast<size_t>(group);
    const auto d = recover_any({value.const_data_ptr<float>() + g * group, size}, set,
                               {matrix.levels.mutable_data_ptr<int8_t>() + g * group, size});
    if (!d) return std::nullopt;
    matrix.scales.mutable_data_ptr<float>()[g] = *d;
  }
  return matrix;
}

std::optional<PackedMatrix> from_values(const at::Tensor& value) {
  const int64_t columns = value.size(1);
  for (int bits = 2; bits <= 8; ++bits)
    for (const int64_t size : {columns, int64_t{256}, int64_t{128}, int64_t{64}, int64_t{32}}) {
      if (columns % size != 0) continue;
      const Granularity granularity =
          size == columns ? Granularity{GranularityKind::kRow, 0} : Granularity{GranularityKind::kGroup, size};
      if (auto matrix = recover(value, bits, granularity)) return matrix;
    }
  return std::nullopt;
}

}  // namespace

io::Dtype PackedMatrix::scale_dtype() const {
  if (holds_all(*find_small_float("BF16"), scales)) return io::Dtype::kBF16;
  return holds_all(*find_small_float("F16"), scales) ? io::Dtype::kF16 : io::Dtype::kF32;
}

std::optional<PackedMatrix> packed_matrix(const ShippedTensor& tensor) {
  if (tensor.value.dim() != 2) return std::nullopt;
  if (tensor.quantized) return from_codes(*tensor.quantized);
  return from_values(tensor.value.contiguous());
}

}  // namespace detent
