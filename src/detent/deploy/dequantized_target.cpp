#include "detent/deploy/dequantized_target.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "detent/deploy/folder_parts.h"
#include "detent/io/safetensors.h"

namespace detent {

namespace {

namespace fs = std::filesystem;

std::vector<io::TensorInfo> plan(const ShippedModel& model) {
  std::vector<io::TensorInfo> infos;
  for (const auto& [name, tensor] : model.tensors)
    if (!is_tied_head(name, model)) infos.push_back({name, io::Dtype::kF32, tensor.value.sizes().vec()});
  return infos;
}

void write_weights(const ShippedModel& model, const fs::path& path, ExportReport& report) {
  io::SafetensorsWriter writer(path, plan(model));
  for (const io::TensorInfo& info : writer.tensors()) {
    write_dense(model, info.name, info.dtype, writer);
    const at::Tensor& value = model.tensors.at(info.name).value;
    report.tensors.push_back({info.name, "F32", value.nbytes()});
    report.parameters += value.numel();
  }
  writer.finish();
  report.file_bytes = fs::file_size(path);
}

class DequantizedTarget : public ExportTarget {
 public:
  using ExportTarget::ExportTarget;
  bool holds(const at::Tensor&) const override { return true; }
  ExportReport write(const ShippedModel& model, const std::string& path) const override {
    return write_folder(model, path, [&](const fs::path& folder, nlohmann::json&, ExportReport& report) {
      write_weights(model, folder / "model.safetensors", report);
    });
  }
};

}  // namespace

std::unique_ptr<const ExportTarget> dequantized_target(const TargetRules& rules) {
  return std::make_unique<DequantizedTarget>(rules);
}

}  // namespace detent
