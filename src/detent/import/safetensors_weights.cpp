#include <ATen/ATen.h>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/import/weight_files.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"
#include "detent/io/safetensors.h"
#include "detent/quant/tensor_file.h"

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
  bool can_decode(size_t index) const override { return can_read(file_.tensors()[index].dtype); }
  at::Tensor decode(size_t index) const override { return read_float_tensor(file_, file_.tensors()[index]); }
  bool has_rows(size_t index) const override { return tensors_[index].shape.size() == 2; }
  at::Tensor decode_rows(size_t index, int64_t first, int64_t count) const override {
    return read_float_tensor(file_, rows_of(file_.tensors()[index], first, count));
  }
  std::optional<nlohmann::json> config() const override { return config_; }

 private:
  static bool can_read(io::Dtype dtype) {
    return dtype == io::Dtype::kF32 || dtype == io::Dtype::kF16 || dtype == io::Dtype::kBF16;
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
