#include <ATen/ATen.h>

#include <cstring>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/import/weight_files.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"
#include "detent/io/safetensors.h"

namespace detent {

namespace {

namespace fs = std::filesystem;

class SafetensorsWeights : public WeightFile {
 public:
  explicit SafetensorsWeights(const fs::path& path) : file_(path) {
    for (const io::TensorView& view : file_.tensors())
      tensors_.push_back(
          {view.name, view.name, std::string(io::dtype_name(view.dtype)), view.shape, view.bytes.size()});
    if (fs::is_directory(path) && fs::exists(path / "config.json"))
      config_ = parse_json(io::as_text(io::MappedFile(path / "config.json").bytes()), (path / "config.json").string());
  }
  std::string format() const override { return "safetensors"; }
  const std::vector<StoredTensor>& tensors() const override { return tensors_; }
  bool can_decode(size_t index) const override { return scalar_type(file_.tensors()[index].dtype).has_value(); }
  at::Tensor decode(size_t index) const override {
    const io::TensorView& view = file_.tensors()[index];
    const auto type = scalar_type(view.dtype);
    if (!type) fail("[safetensors] '{}' is {}; weights are F32, F16 or BF16", view.name, io::dtype_name(view.dtype));
    at::Tensor stored = at::empty(view.shape, *type);
    if (!view.bytes.empty()) std::memcpy(stored.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
    return stored.to(at::kFloat);
  }
  std::optional<nlohmann::json> config() const override { return config_; }

 private:
  static std::optional<at::ScalarType> scalar_type(io::Dtype dtype) {
    if (dtype == io::Dtype::kF32) return at::kFloat;
    if (dtype == io::Dtype::kF16) return at::kHalf;
    if (dtype == io::Dtype::kBF16) return at::kBFloat16;
    return std::nullopt;
  }
  io::SafetensorsReader file_;
  std::vector<StoredTensor> tensors_;
  std::optional<nlohmann::json> config_;
};

}  // namespace

std::unique_ptr<WeightFile> open_safetensors_weights(const fs::path& path) {
  return std::make_unique<SafetensorsWeights>(path);
}

}  // namespace detent
