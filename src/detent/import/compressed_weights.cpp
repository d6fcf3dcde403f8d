// A folder that compressed-tensors packed.
#include <ATen/ATen.h>

#include <map>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/import/compressed_config.h"
#include "detent/import/packed_tensor.h"
#include "detent/import/weight_files.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"
#include "detent/quant/tensor_file.h"

namespace detent {

namespace {

namespace fs = std::filesystem;
using io::Dtype;
using io::TensorView;

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
    return decode_packed(file_, packed_.at(index));
  }
  std::optional<Quantized> codes(size_t index) const override {
    return plain_[index] ? std::nullopt : decode_codes(file_, packed_.at(index));
  }
  bool has_rows(size_t index) const override { return plain_[index] && plain_[index]->shape.size() == 2; }
  at::Tensor decode_rows(size_t index, int64_t first, int64_t count) const override {
    return read_float_tensor(file_, rows_of(*plain_[index], first, count));
  }
  std::optional<nlohmann::json> config() const override { return config_; }
  std::optional<QuantSpec> input(size_t index) const override {
    const auto packed = packed_.find(index);
    return packed == packed_.end() ? std::nullopt : packed->second.scheme.input;
  }

 private:
  void add(const TensorView& view) {
    const std::string& name = view.name;
    if (is_beside_packed(name)) return;  // read with the matrix
    if (name.ends_with(".weight_g_idx"))
      fail("{}: {} puts columns in another order, which is not handled", source_, in_quotes(name));
    const auto module = packed_module(view);
    if (!module) {
      plain_.push_back(&view);
      tensors_.push_back({name, name, std::string(io::dtype_name(view.dtype)), view.shape, view.bytes.size()});
      return;
    }
    const PackedTensor packed = open_packed(file_, view, *module, packing_.scheme_of(*module, source_));
    tensors_.push_back({*module + ".weight",
                        name,
                        packed.type(),
                        {packed.rows, packed.columns},
                        view.bytes.size() + packed.scale->bytes.size()});
    packed_.emplace(plain_.size(), packed);
    plain_.push_back(nullptr);
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
