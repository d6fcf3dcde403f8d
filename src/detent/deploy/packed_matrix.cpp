#include "detent/deploy/packed_matrix.h"

#include <ATen/ATen.h>

#include <bit>
#include <functional>

#include "detent/deploy/recover.h"
#include "detent/format/packed_fp4.h"
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
  const QuantSpec& spec = quantized.spec;
  const Grid& grid = spec.grid;
  const auto fit = packed_fit(grid, spec.granularity.kind != GranularityKind::kTensor);
  if (!fit || spec.rotation != Rotation::kNone) return std::nullopt;
  const bool fp4 = is_mxfp4(spec);
  int8_t levels[256] = {};
  for (int code = grid.lo(); code <= grid.hi(); ++code)
    levels[static_cast<uint8_t>(code)] = static_cast<int8_t>(grid.level(code) / fit->factor);
  PackedMatrix matrix{fp4 ? PackedKind::kFp4 : PackedKind::kInts,
                      fp4 ? 4 : fit->bits,
                      fit->zero_point,
                      spec.granularity,
                      quantized.codes.contiguous().clone(),
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

using FindScale = std::function<std::optional<float>(std::span<const float> values, std::span<int8_t> levels)>;

std::optional<PackedMatrix> recover(const at::Tensor& value, PackedKind kind, int bits, const Granularity& granularity,
                                    const FindScale& find) {
  const int64_t rows = value.size(0), columns = value.size(1), group = granularity.group_length(rows, columns);
  PackedMatrix matrix{kind,
                      bits,
                      0,
                      granularity,
                      at::empty({rows, columns}, at::kChar),
                      at::empty({rows, columns / group}, at::kFloat)};
  for (int64_t g = 0; g < rows * columns / group; ++g) {
    const auto size = static_cast<size_t>(group);
    const auto d = find({value.const_data_ptr<float>() + g * group, size},
                        {matrix.levels.mutable_data_ptr<int8_t>() + g * group, size});
    if (!d) return std::nullopt;
    matrix.scales.mutable_data_ptr<float>()[g] = *d;
  }
  return matrix;
}

std::optional<PackedMatrix> recover_ints(const at::Tensor& value, int bits) {
  const int64_t columns = value.size(1);
  const LevelSet set{-(1 << (bits - 1)), (1 << (bits - 1)) - 1};
  const auto find = [&](auto values, auto levels) { return recover_any(values, set, levels); };
  for (const int64_t size : {columns, int64_t{256}, int64_t{128}, int64_t{64}, int64_t{32}, int64_t{16}}) {
    if (columns % size != 0) continue;
    const Granularity granularity =
        size == columns ? Granularity{GranularityKind::kRow, 0} : Granularity{GranularityKind::kGroup, size};
    if (auto matrix = recover(value, PackedKind::kInts, bits, granularity, find)) return matrix;
  }
  return std::nullopt;
}

std::optional<PackedMatrix> recover_fp4(const at::Tensor& value) {
  if (value.size(1) % kMxGroup != 0) return std::nullopt;
  const GridSearch search{{-12, 12, LevelSet::kTwiceE2M1}, [](float d) { return e8m0_code(2 * d).has_value(); }};
  return recover(value, PackedKind::kFp4, 4, {GranularityKind::kGroup, kMxGroup},
                 [&](auto values, auto levels) { return recover_scale(values, search, levels); });
}

std::optional<PackedMatrix> from_values(const at::Tensor& value) {
  for (int bits = 2; bits <= 8; ++bits) {
    if (auto matrix = recover_ints(value, bits)) return matrix;
    if (bits != 4) continue;
    if (auto matrix = recover_fp4(value)) return matrix;
  }
  return std::nullopt;
}

}  // namespace

io::Dtype PackedMatrix::scale_dtype() const {
  if (kind == PackedKind::kFp4) return io::Dtype::kU8;
  if (holds_all(*find_small_float("BF16"), scales)) return io::Dtype::kBF16;
  return holds_all(*find_small_float("F16"), scales) ? io::Dtype::kF16 : io::Dtype::kF32;
}

std::optional<PackedMatrix> packed_matrix(const ShippedTensor& tensor) {
  if (tensor.value.dim() != 2) return std::nullopt;
  if (tensor.quantized) return from_codes(*tensor.quantized);
  return from_values(tensor.value.contiguous());
}

}  // namespace detent
