// A folder that compressed-tensors packed: `X.weight_packed` (or int8 `X.weight`), `X.weight_scale`, `X.weight_shape`
// and `X.weight_zero_point` together are the matrix `X.weight`.
#include <ATen/ATen.h>

#include <cstring>
#include <map>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/format/packed_ints.h"
#include "detent/import/compressed_config.h"
#include "detent/import/weight_files.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"
#include "detent/quant/tensor_file.h"

namespace detent {

namespace {

namespace fs = std::filesystem;
using io::Dtype;
using io::TensorView;

constexpr const char *kPacked = ".weight_packed", *kScale = ".weight_scale", *kShape = ".weight_shape",
                     *kZeroPoint = ".weight_zero_point", *kOrder = ".weight_g_idx";

template <class T>
std::vector<T> elements(const TensorView& view) {
  std::vector<T> all(view.bytes.size() / sizeof(T));
  if (!all.empty()) std::memcpy(all.data(), view.bytes.data(), all.size() * sizeof(T));
  return all;
}

// The parts of one packed matrix, proved to belong together.
struct PackedTensor {
  const TensorView *values, *scale, *zero_point;  // zero_point null when symmetric
  PackedScheme scheme;
  int64_t rows, columns;
  bool packed() const { return values->dtype == Dtype::kI32; }
  int64_t groups() const {
    return scheme.granularity.kind == GranularityKind::kTensor
               ? 1
               : columns / scheme.granularity.group_length(rows, columns);
  }
};

class CompressedWeights : public WeightFile {
 public:
  explicit CompressedWeights(const fs::path& folder) : source_(folder.string()), file_(folder) {
    const fs::path path = folder / "config.json";
    config_ = parse_json(io::as_text(io::MappedFile(path).bytes()), path.string());
    packing_ = compressed_config_from_json(config_.at("quantization_config"), path.string());
    config_.erase("quantization_config");
    for (const TensorView& view : file_.tensors()) add(view);
  }
  std::string format() const override { return "compressed-tensors"; }
  const std::vector<StoredTensor>& tensors() const override { return tensors_; }
  bool can_decode(size_t index) const override {
    const TensorView* plain = plain_[index];
    return !plain || plain->dtype == Dtype::kF32 || plain->dtype == Dtype::kF16 || plain->dtype == Dtype::kBF16;
  }
  at::Tensor decode(size_t index) const override {
    if (plain_[index]) return read_float_tensor(file_, *plain_[index]);
    const PackedTensor& packed = packed_.at(index);
    at::Tensor value = at::empty({packed.rows, packed.columns}, at::kFloat);
    const std::vector<float> scales = scales_of(packed);
    const std::vector<int8_t> zeros = zero_points(packed);
    for (int64_t row = 0; row < packed.rows; ++row)
      decode_row(packed, row, scales, zeros, value.mutable_data_ptr<float>() + row * packed.columns);
    return value;
  }
  std::optional<nlohmann::json> config() const override { return config_; }
  std::optional<QuantSpec> input(size_t index) const override {
    const auto packed = packed_.find(index);
    return packed == packed_.end() ? std::nullopt : packed->second.scheme.input;
  }

 private:
  void add(const TensorView& view) {
    const std::string& name = view.name;
    for (const char* part : {kScale, kShape, kZeroPoint})
      if (name.ends_with(part)) return;  // read with the matrix
    if (name.ends_with(kOrder))
      fail("{}: {} puts columns in another order, which is not handled", source_, in_quotes(name));
    const bool words = name.ends_with(kPacked);
    const std::string module = name.substr(0, name.size() - std::strlen(words ? kPacked : ".weight"));
    if (!words && !(view.dtype == Dtype::kI8 && name.ends_with(".weight"))) {
      plain_.push_back(&view);
      tensors_.push_back({name, name, std::string(io::dtype_name(view.dtype)), view.shape, view.bytes.size()});
      return;
    }
    const PackedTensor packed = open(view, module);
    tensors_.push_back({module + ".weight",
                        name,
                        fmt::format("int{}", packed.scheme.bits),
                        {packed.rows, packed.columns},
                        view.bytes.size() + packed.scale->bytes.size()});
    packed_.emplace(plain_.size(), packed);
    plain_.push_back(nullptr);
  }

  PackedTensor open(const TensorView& view, const std::string& module) const {
    PackedTensor packed{
        &view, file_.find(module + kScale), file_.find(module + kZeroPoint), packing_.scheme_of(module, source_), 0, 0};
    const std::string quoted = in_quotes(module);
    if (!packed.scale) fail("{}: {} is packed, but its weight_scale is missing", source_, quoted);
    if (packed.scheme.symmetric != (packed.zero_point == nullptr))
      fail("{}: {} {} a weight_zero_point, its quantization_config says otherwise", source_, quoted,
           packed.zero_point ? "has" : "lacks");
    const std::vector<int64_t> shape = matrix_shape(view, module);
    if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1 || shape[0] > (1 << 30) || shape[1] > (1 << 30))
      fail("{}: {} is packed from [{}], expected a matrix", source_, quoted, fmt::join(shape, ", "));
    packed.rows = shape[0];
    packed.columns = shape[1];
    check_shapes(packed, quoted);
    return packed;
  }

  std::vector<int64_t> matrix_shape(const TensorView& view, const std::string& module) const {
    if (view.dtype == Dtype::kI8) return view.shape;
    const TensorView* shape = file_.find(module + kShape);
    if (view.dtype != Dtype::kI32 || !shape || shape->dtype != Dtype::kI64)
      fail("{}: {} must be I32 words with an I64 weight_shape beside it", source_, in_quotes(view.name));
    return elements<int64_t>(*shape);
  }

  void check_shapes(const PackedTensor& p, const std::string& name) const {
    check_shape({Grid{}, p.scheme.granularity}, p.rows, p.columns, source_ + ": " + name);
    const int bits = p.scheme.bits;
    const int64_t wide = p.packed() ? packed_words(p.columns, bits) : p.columns;
    if (p.values->shape != std::vector<int64_t>{p.rows, wide})
      fail("{}: {} has [{}] in the file, [{}, {}] in {} bits take [{}, {}]", source_, name,
           fmt::join(p.values->shape, ", "), p.rows, p.columns, bits, p.rows, wide);
    const bool whole = p.scheme.granularity.kind == GranularityKind::kTensor;
    const auto count = static_cast<uint64_t>(whole ? 1 : p.rows * p.groups());
    if (io::element_count(p.scale->shape) != count)
      fail("{}: {} has {} scales, its strategy asks for {}", source_, name,
           io::element_count(p.scale->shape).value_or(0), count);
    if (p.zero_point) check_zero_points(p, name);
  }

  // Packed along the rows where the weights are packed along the columns; whole bytes else.
  void check_zero_points(const PackedTensor& p, const std::string& name) const {
    const bool words = p.zero_point->dtype == Dtype::kI32;
    if (p.scheme.granularity.kind == GranularityKind::kTensor || (!words && p.zero_point->dtype != Dtype::kI8))
      fail("{}: the zero point of {} is of a kind that is not handled", source_, name);
    const std::vector<int64_t> expected = {words ? packed_words(p.rows, p.scheme.bits) : p.rows, p.groups()};
    if (p.zero_point->shape != expected)
      fail("{}: the zero points of {} are [{}], expected [{}]", source_, name, fmt::join(p.zero_point->shape, ", "),
           fmt::join(expected, ", "));
  }

  std::vector<float> scales_of(const PackedTensor& p) const {
    const at::Tensor scales = read_float_tensor(file_, *p.scale);
    return {scales.const_data_ptr<float>(), scales.const_data_ptr<float>() + scales.numel()};
  }

  // [rows, groups]; empty when symmetric.
  static std::vector<int8_t> zero_points(const PackedTensor& p) {
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

  static void decode_row(const PackedTensor& p, int64_t row, const std::vector<float>& scales,
                         const std::vector<int8_t>& zeros, float* out) {
    std::vector<int8_t> codes(p.columns);
    if (p.packed()) {
      std::vector<uint32_t> words(packed_words(p.columns, p.scheme.bits));
      std::memcpy(words.data(), &p.values->bytes[row * words.size() * 4], words.size() * 4);
      unpack_ints(words, p.scheme.bits, codes);
    } else {
      std::memcpy(codes.data(), &p.values->bytes[row * p.columns], p.columns);
    }
    const int64_t groups = p.groups(), size = p.columns / groups;
    for (int64_t i = 0; i < p.columns; ++i) {
      const int64_t at = row * groups + i / size;
      const float zero = zeros.empty() ? 0.0f : static_cast<float>(zeros[at]);
      out[i] = (static_cast<float>(codes[i]) - zero) * scales[scales.size() == 1 ? 0 : at];
    }
  }

  std::string source_;
  io::SafetensorsReader file_;
  nlohmann::json config_;
  CompressedConfig packing_;
  std::vector<StoredTensor> tensors_;
  std::vector<const TensorView*> plain_;  // null where the tensor is packed
  std::map<size_t, PackedTensor> packed_;
};

}  // namespace

std::unique_ptr<WeightFile> open_compressed_weights(const fs::path& folder) {
  return std::make_unique<CompressedWeights>(folder);
}

}  // namespace detent
