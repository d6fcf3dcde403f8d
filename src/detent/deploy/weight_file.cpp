#include "detent/deploy/weight_file.h"

#include <ATen/ATen.h>

#include <cstring>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/deploy/gguf_llama.h"
#include "detent/deploy/gguf_tensor.h"
#include "detent/deploy/model_path.h"
#include "detent/io/bytes.h"
#include "detent/io/safetensors.h"

namespace detent {

namespace {

namespace fs = std::filesystem;

class GgufWeights : public WeightFile {
 public:
  explicit GgufWeights(const fs::path& path) : path_(path), file_(path) {
    const auto* architecture = file_.find_value("general.architecture");
    if (architecture && *architecture == io::GgufValue(std::string("llama"))) try {
        llama_ = llama_config_from_gguf(file_, path.string());
      } catch (const Error& error) {
        problem_ = error.what();  // a look inside is still possible
      }
    for (const io::GgufTensor& tensor : file_.tensors()) {
      const auto name = llama_ ? from_gguf_name(tensor.name) : std::nullopt;
      tensors_.push_back({name.value_or(tensor.name),
                          tensor.name,
                          std::string(tensor.type->name),
                          {tensor.ne.rbegin(), tensor.ne.rend()},
                          tensor.bytes.size()});
    }
  }
  std::string format() const override { return "gguf"; }
  const std::vector<StoredTensor>& tensors() const override { return tensors_; }
  bool can_decode(size_t index) const override { return detent::can_decode(*file_.tensors()[index].type); }
  at::Tensor decode(size_t index) const override {
    const io::GgufTensor& tensor = file_.tensors()[index];
    const auto order = llama_ ? gguf_row_order(tensors_[index].name, *llama_) : std::vector<int64_t>();
    return decode_tensor(tensor.bytes, *tensor.type, tensors_[index].shape, order);
  }
  std::optional<nlohmann::json> config() const override {
    if (!problem_.empty()) fail("{}", problem_);
    return to_json(llama_ ? *llama_ : llama_config_from_gguf(file_, path_.string()));
  }

 private:
  fs::path path_;
  io::GgufReader file_;
  std::optional<DecoderConfig> llama_;
  std::string problem_;
  std::vector<StoredTensor> tensors_;
};

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

std::unique_ptr<WeightFile> open_weight_file(const fs::path& path) {
  if (!fs::exists(path)) fail("there is no file or folder {}: check the path", path.string());
  if (is_gguf(path)) return std::make_unique<GgufWeights>(path);
  return std::make_unique<SafetensorsWeights>(path);
}

}  // namespace detent
