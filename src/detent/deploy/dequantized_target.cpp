#include "detent/deploy/dequantized_target.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "detent/architectures/decoder_config.h"
#include "detent/base/error.h"
#include "detent/deploy/dense_target.h"
#include "detent/import/model_path.h"
#include "detent/io/atomic_file.h"
#include "detent/io/safetensors.h"

namespace detent {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A folder written by transformers holds a tied head once, under the embedding's name.
bool is_tied_head(const std::string& name, const ShippedModel& model) {
  return name == "lm_head.weight" && model.config.value("tie_word_embeddings", false);
}

std::vector<io::TensorInfo> plan(const ShippedModel& model) {
  std::vector<io::TensorInfo> infos;
  for (const auto& [name, tensor] : model.tensors)
    if (!is_tied_head(name, model)) infos.push_back({name, io::Dtype::kF32, tensor.value.sizes().vec()});
  return infos;
}

void write_weights(const ShippedModel& model, const fs::path& path, ExportReport& report) {
  io::SafetensorsWriter writer(path, plan(model));
  for (const io::TensorInfo& info : writer.tensors()) {
    const at::Tensor value = model.tensors.at(info.name).value.contiguous();
    writer.write(info.name, {reinterpret_cast<const std::byte*>(value.const_data_ptr()), value.nbytes()});
    report.tensors.push_back({info.name, "F32", value.nbytes()});
    report.parameters += value.numel();
  }
  writer.finish();
  report.file_bytes = fs::file_size(path);
}

class DequantizedTarget : public DenseTarget {
 public:
  std::string name() const override { return "safetensors:dequantized"; }
  std::string summary() const override { return "Hugging Face folder; plain F32 weights that any program opens"; }
  bool holds(const at::Tensor&) const override { return true; }
  ExportReport write(const ShippedModel& model, const std::string& path) const override {
    io::check_free_for_folder(path);
    const json config = to_json(decoder_config_from_json(model.config, model.folder + ": config.json"));
    ExportReport report;
    io::AtomicDirectory folder(path);
    write_weights(model, folder.staging() / "model.safetensors", report);
    io::write_file_atomically(folder.staging() / "config.json", config.dump(2) + "\n");
    copy_tokenizer(model.folder, folder.staging());
    folder.commit();
    return report;
  }
};

}  // namespace

std::unique_ptr<const ExportTarget> dequantized_target() { return std::make_unique<DequantizedTarget>(); }

}  // namespace detent
