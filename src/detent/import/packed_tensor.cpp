#include "detent/import/packed_tensor.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/format/packed_fp4.h"
#include "detent/format/packed_ints.h"
#include "detent/io/bytes.h"
#include "detent/quant/tensor_file.h"

namespace detent {

namespace {

using io::Dtype;
using io::TensorView;

constexpr const char *kPacked = ".weight_packed", *kScale = ".weight_scale", *kShape = ".weight_shape",
                     *kZeroPoint = ".weight_zero_point";

template <class T>
std::vector<T> elements(const TensorView& view) {
  std::vector<T> all(view.bytes.size() / sizeof(T));
  if (!all.empty()) std::memcpy(all.data(), view.bytes.data(), all.size() * sizeof(T));
  return all;
}

bool is_fp4(const PackedTensor& p) { return p.scheme.kind == PackedKind::kFp4; }

std::vector<int64_t> matrix_shape(const io::SafetensorsReader& file, const TensorView& view, const std::string& module,
                                  const PackedScheme& scheme) {
  if (scheme.kind == PackedKind::kFp4) {
    if (view.dtype != Dtype::kU8 || view.shape.size() != 2 || view.shape[1] > (1 << 30))
      fail("{}: {} must be a matrix of U8, two 4-bit floats in each", file.path().string(), in_quotes(view.name));
    return {view.shape[0], 2 * view.shape[1]};
  }
  if (view.dtype == Dtype::kI8) return view.shape;
  const TensorView* shape = file.find(module + kShape);
  if (view.dtype != Dtype::kI32 || !shape || shape->dtype != Dtype::kI64)
    fail("{}: {} must be I32 words with an I64 weight_shape beside it", file.path().string(), in_quotes(view.name));
  return elements<int64_t>(*shape);
}

// Packed along the rows where the weights are packed along the columns; whole bytes else.
void check_zero_points(const PackedTensor& p, const std::string& name) {
  const bool words = p.zero_point->dtype == Dtype::kI32;
  if (p.scheme.granularity.kind == GranularityKind::kTensor || (!words && p.zero_point->dtype != Dtype::kI8))
    fail("{} has a zero point of a kind that is not handled", name);
  const std::vector<int64_t> expected = {words ? packed_words(p.rows, p.scheme.bits) : p.rows, p.groups()};
  if (p.zero_point->shape != expected)
    fail("{} has zero points of [{}], expected [{}]", name, fmt::join(p.zero_point->shape, ", "),
         fmt::join(expected, ", "));
}

int64_t stored_columns(const PackedTensor& p) {
  if (is_fp4(p)) return p.columns / 2;
  return p.values->dtype == Dtype::kI32 ? packed_words(p.columns, p.scheme.bits) : p.columns;
}

void check_shapes(const PackedTensor& p, const std::string& source, const std::string& module) {
  const std::string name = source + ": " + in_quotes(module);
  check_shape({Grid{}, p.scheme.granularity}, p.rows, p.columns, name);
  if (p.values->shape != std::vector<int64_t>{p.rows, stored_columns(p)})
    fail("{} has [{}] in the file, [{}, {}] in {} bits take [{}, {}]", name, fmt::join(p.values->shape, ", "), p.rows,
         p.columns, p.scheme.bits, p.rows, stored_columns(p));
  const bool whole = p.scheme.granularity.kind == GranularityKind::kTensor;
  const auto count = static_cast<uint64_t>(whole ? 1 : p.rows * p.groups());
  if (io::element_count(p.scale->shape) != count)
    fail("{} has {} scales, its strategy asks for {}", name, io::element_count(p.scale->shape).value_or(0), count);
  if (is_fp4(p) && p.scale->dtype != Dtype::kU8)
    fail("{} has scales of {}, 4-bit floats have exponents in U8", name, io::dtype_name(p.scale->dtype));
  if (p.zero_point) check_zero_points(p, name);
}

std::vector<float> scales_of(const io::SafetensorsReader& file, const PackedTensor& p) {
  if (is_fp4(p)) {
    std::vector<float> scales;
    for (const uint8_t e : elements<uint8_t>(*p.scale)) scales.push_back(e8m0_value(e));
    return scales;
  }
  const at::Tensor scales = read_float_tensor(file, *p.scale);
  return {scales.const_data_ptr<float>(), scales.const_data_ptr<float>() + scales.numel()};
}

// [rows, groups]; empty when symmetric.
std::vector<int8_t> zero_points(const PackedTensor& p) {
  if (!p.zero_point) return {};
  if (p.zero_point->dtype == Dtype::kI8) return elements<int8_t>(*p.zero_point);
  const auto words = elements<uint32_t>(*p.zero_point);
  const int64_t groups = p.groups(), high = p.zero_point->shape[0];
  std::vector<int8_t> zeros(p.rows * groups), column(p.rows);
  std::vector<uint32_t> packed(high);
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t i = 0; i < high; ++i) packed[i] = words[i * groups + g];
    unpack_ints(packed, p.scheme.bits, column);
    for (int64_t row = 0; row < p.rows; ++row) zeros[row * groups + g] = column[row];
  }
  return zeros;
}

std::span<const std::byte> bytes_of_row(const PackedTensor& p, int64_t row) {
  const auto width = p.values->bytes.size() / static_cast<size_t>(p.rows);
  return p.values->bytes.subspan(static_cast<size_t>(row) * width, width);
}

void unpack_codes(const PackedTensor& p, int64_t row, std::span<int8_t> codes) {
  const auto bytes = bytes_of_row(p, row);
  if (p.values->dtype == Dtype::kI32) {
    std::vector<uint32_t> words(bytes.size() / sizeof(uint32_t));
    std::memcpy(words.data(), bytes.data(), bytes.size());
    unpack_ints(words, p.scheme.bits, codes);
  } else {
    std::memcpy(codes.data(), bytes.data(), bytes.size());
  }
}

// What the file holds of a row, before zero points and scales.
void unpack_row(const PackedTensor& p, int64_t row, std::span<float> out) {
  if (is_fp4(p)) return unpack_fp4(bytes_of_row(p, row), out);
  std::vector<int8_t> codes(out.size());
  unpack_codes(p, row, codes);
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(codes[i]);
}

}  // namespace

std::string PackedTensor::type() const {
  return scheme.kind == PackedKind::kFp4 ? "mxfp4" : fmt::format("int{}", scheme.bits);
}

int64_t PackedTensor::groups() const {
  return scheme.granularity.kind == GranularityKind::kTensor ? 1
                                                             : columns / scheme.granularity.group_length(rows, columns);
}

bool is_beside_packed(const std::string& name) {
  return name.ends_with(kScale) || name.ends_with(kShape) || name.ends_with(kZeroPoint);
}

std::optional<std::string> packed_module(const TensorView& view) {
  for (const auto& [suffix, is_packed] : {std::pair(kPacked, true), std::pair(".weight", view.dtype == Dtype::kI8)})
    if (is_packed && view.name.ends_with(suffix)) return view.name.substr(0, view.name.size() - std::strlen(suffix));
  return std::nullopt;
}

PackedTensor open_packed(const io::SafetensorsReader& file, const TensorView& view, const std::string& module,
                         const PackedScheme& scheme) {
  PackedTensor packed{&view, file.find(module + kScale), file.find(module + kZeroPoint), scheme, 0, 0};
  const std::string name = file.path().string() + ": " + in_quotes(module);
  if (!packed.scale) fail("{} is packed, but its weight_scale is missing", name);
  if (scheme.symmetric != (packed.zero_point == nullptr))
    fail("{} {} a weight_zero_point, its quantization_config says otherwise", name,
         packed.zero_point ? "has" : "lacks");
  const std::vector<int64_t> shape = matrix_shape(file, view, module, scheme);
  if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1 || shape[0] > (1 << 30) || shape[1] > (1 << 30))
    fail("{} is packed from [{}], expected a matrix", name, fmt::join(shape, ", "));
  packed.rows = shape[0];
  packed.columns = shape[1];
  check_shapes(packed, file.path().string(), module);
  return packed;
}

at::Tensor decode_packed(const io::SafetensorsReader& file, const PackedTensor& p) {
  at::Tensor value = at::empty({p.rows, p.columns}, at::kFloat);
  const std::vector<float> scales = scales_of(file, p);
  const std::vector<int8_t> zeros = zero_points(p);
  const int64_t groups = p.groups(), size = p.columns / groups;
  for (int64_t row = 0; row < p.rows; ++row) {
    const std::span<float> out(value.mutable_data_ptr<float>() + row * p.columns, static_cast<size_t>(p.columns));
    unpack_row(p, row, out);
    for (int64_t i = 0; i < p.columns; ++i) {
      const int64_t at = row * groups + i / size;
      const float zero = zeros.empty() ? 0.0f : static_cast<float>(zeros[at]);
      out[i] = (out[i] - zero) * scales[scales.size() == 1 ? 0 : at];
    }
  }
  file.release(p.values->bytes);
  return value;
}

std::optional<Quantized> decode_codes(const io::SafetensorsReader& file, const PackedTensor& p) {
  if (is_fp4(p) || p.zero_point || p.scheme.bits < 2) return std::nullopt;
  const std::vector<float> scales = scales_of(file, p);
  const auto count = static_cast<int64_t>(scales.size());
  Quantized all{at::empty({p.rows, p.columns}, at::kChar), at::empty({count / p.groups(), p.groups()}, at::kFloat), {}};
  all.spec = {.grid = make_grid("int", p.scheme.bits), .granularity = p.scheme.granularity};
  std::copy(scales.begin(), scales.end(), all.scales.mutable_data_ptr<float>());
  const int lo = all.spec.grid.lo(), hi = all.spec.grid.hi();
  bool fit = true;  // an int8 of the file may hold more than the bits that its scheme names
  for (int64_t row = 0; row < p.rows; ++row) {
    const std::span codes(all.codes.mutable_data_ptr<int8_t>() + row * p.columns, static_cast<size_t>(p.columns));
    unpack_codes(p, row, codes);
    fit &= std::ranges::all_of(codes, [=](int8_t code) { return code >= lo && code <= hi; });
  }
  file.release(p.values->bytes);
  return fit ? std::optional(all) : std::nullopt;
}

}  // namespace detent
