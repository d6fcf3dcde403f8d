#include "detent/deploy/inspect.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "detent/architectures/parameters.h"
#include "detent/base/error.h"
#include "detent/base/options.h"
#include "detent/deploy/model_parts.h"
#include "detent/deploy/target.h"
#include "detent/import/model_path.h"
#include "detent/import/weight_file.h"
#include "detent/quant/checkpoint_folder.h"

namespace detent {

namespace {

namespace fs = std::filesystem;

// The values that count: of a checkpoint those that ship, not the latent ones its file holds.
class Source {
 public:
  explicit Source(const fs::path& path) : file_(open_weight_file(path)) {
    if (fs::is_directory(path) && fs::exists(path / "quantization.json")) {
      check_files(path);
      shipped_ = open_shipped(path.string(), Codes::kDropped);
    }
  }
  const std::vector<StoredTensor>& tensors() const { return file_->tensors(); }
  std::string format() const { return shipped_ ? "checkpoint" : file_->format(); }
  bool readable(size_t i) const { return file_->can_decode(i) && tensors()[i].bytes > 0; }
  at::Tensor value(size_t i) const { return shipped_ ? shipped_->tensor(tensors()[i].name).value : file_->decode(i); }
  std::map<std::string, Storage> plain() const { return plain_projections(*file_); }
  const ShippedModel* shipped() const { return shipped_ ? &*shipped_ : nullptr; }

 private:
  std::unique_ptr<WeightFile> file_;
  std::optional<ShippedModel> shipped_;
};

// Targets that hold every projection seen so far but those that stay plain; a file without any counts all its matrices.
class Targets {
 public:
  explicit Targets(const Source& source) {
    const auto& tensors = source.tensors();
    only_projections_ = std::any_of(tensors.begin(), tensors.end(),
                                    [](const StoredTensor& tensor) { return is_projection(tensor.name); });
    plain_ = source.plain();
    for (const auto& target : export_targets())
      if (!source.shipped() || !export_refusal(*target, *source.shipped())) left_.push_back(target.get());
  }
  void see(const std::string& name, const at::Tensor& value) {
    const bool packed = !only_projections_ || (is_projection(name) && !plain_.contains(name));
    if (value.dim() < 2) return;
    std::erase_if(left_, [&](const ExportTarget* target) {
      return (packed || !target->rules().preferred()) && !target->holds(value);
    });
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const ExportTarget* target : left_) names.push_back(target->name());
    return names;
  }
  void clear() { left_.clear(); }

 private:
  bool only_projections_ = false;
  std::map<std::string, Storage> plain_;
  std::vector<const ExportTarget*> left_;
};

fs::path weights_of(const fs::path& path) { return fs::exists(path / "checkpoints") ? resolve_model(path) : path; }

void check_exists(const InspectReport& report, const std::string& tensor) {
  std::vector<std::string> names;
  for (const InspectRow& row : report.tensors) names.push_back(row.name);
  if (std::find(names.begin(), names.end(), tensor) != names.end()) return;
  const std::string near = nearest_name(tensor, names);
  fail("{} has no tensor {}{}", report.path, tensor, near.empty() ? "" : fmt::format("; did you mean {}?", near));
}

std::string shape_text(const std::vector<int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::string grid_text(const std::optional<DetectedGrid>& grid) {
  if (!grid) return "-";
  std::string text =
      fmt::format("{} group {} {}", grid->grid.name(), grid->granularity.name(), scale_format_name(grid->scale_format));
  if (grid->scale_rule) text += " " + scale_rule_name(*grid->scale_rule);
  if (grid->mixed_zeros) text += ", zeros of both signs";
  if (grid->exact_fraction < 1) text += fmt::format(" ({:.2f} % of groups)", 100 * grid->exact_fraction);
  return text;
}

nlohmann::json to_json(const std::optional<DetectedGrid>& grid) {
  if (!grid) return nullptr;
  const bool sized = grid->granularity.kind == GranularityKind::kGroup;
  nlohmann::json group = sized ? nlohmann::json(grid->granularity.size) : nlohmann::json("row");
  nlohmann::json rule = grid->scale_rule ? nlohmann::json(scale_rule_name(*grid->scale_rule)) : nlohmann::json();
  return {{"name", grid->grid.name()},
          {"group", group},
          {"exact_fraction", grid->exact_fraction},
          {"scale_format", scale_format_name(grid->scale_format)},
          {"scale", rule},
          {"mixed_zeros", grid->mixed_zeros}};
}

}  // namespace

InspectReport inspect_path(const fs::path& path, const std::optional<std::string>& tensor) {
  const Source source(weights_of(path));
  InspectReport report;
  report.path = path.string();
  report.format = source.format();
  Targets targets(source);
  for (size_t i = 0; i < source.tensors().size(); ++i) {
    const StoredTensor& stored = source.tensors()[i];
    InspectRow row{stored.name, stored.type, stored.shape, stored.bytes, std::nullopt};
    if (source.readable(i)) {
      const at::Tensor value = source.value(i);
      if (!tensor || stored.name == *tensor) row.grid = detect_grid(value);
      targets.see(stored.name, value);
    } else {
      targets.clear();
    }
    report.tensors.push_back(std::move(row));
  }
  report.lossless_targets = targets.names();
  if (tensor) {
    check_exists(report, *tensor);
    std::erase_if(report.tensors, [&](const InspectRow& row) { return row.name != *tensor; });
  }
  return report;
}

nlohmann::json to_json(const InspectReport& report) {
  nlohmann::json tensors = nlohmann::json::array();
  for (const InspectRow& row : report.tensors)
    tensors.push_back({{"name", row.name},
                       {"dtype", row.dtype},
                       {"shape", row.shape},
                       {"bytes", row.bytes},
                       {"grid", to_json(row.grid)}});
  return {{"format", report.format}, {"tensors", tensors}, {"lossless_targets", report.lossless_targets}};
}

std::string to_text(const InspectReport& report) {
  size_t width = 4;
  for (const InspectRow& row : report.tensors) width = std::max(width, row.name.size());
  std::string text = fmt::format("{}: {}, {} tensors\n", report.path, report.format, report.tensors.size());
  for (const InspectRow& row : report.tensors)
    text += fmt::format("{:<{}}  {:<5} {:<16} {:>12}  {}\n", row.name, width, row.dtype, shape_text(row.shape),
                        row.bytes, grid_text(row.grid));
  return text +
         fmt::format("lossless targets: {}\n", report.lossless_targets.empty()
                                                   ? std::string("none")
                                                   : fmt::format("{}", fmt::join(report.lossless_targets, ", ")));
}

}  // namespace detent
