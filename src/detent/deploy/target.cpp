#include "detent/deploy/target.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "detent/base/error.h"
#include "detent/base/options.h"
#include "detent/deploy/dequantized_target.h"
#include "detent/deploy/gguf_target.h"
#include "detent/deploy/model_parts.h"

namespace detent {

namespace {

std::string accepting_targets(const ShippedModel& model) {
  std::vector<std::string> names;
  for (const auto& target : export_targets()) {
    const auto refused = [&](const auto& layer) {
      return layer.second.weight && target->refusal(*layer.second.weight, 0, 0);
    };
    if (std::none_of(model.record.layers.begin(), model.record.layers.end(), refused)) names.push_back(target->name());
  }
  if (names.empty()) return "no target accepts this model";
  return fmt::format("as it is, the model can go to {}", fmt::join(names, " or "));
}

std::string advice(const ExportTarget& target, const QuantSpec& spec, int64_t rows, int64_t columns) {
  const auto near = target.nearest(spec, rows, columns);
  return near ? fmt::format("the nearest accepted is: {}", near->name()) : "no other grid of this weight fits either";
}

std::vector<std::string> activation_notes(const ShippedModel& model) {
  int64_t count = 0;
  for (const auto& [name, layer] : model.record.layers) count += layer.input.has_value();
  if (count == 0) return {};
  return {
      fmt::format("the inputs of {} layers were quantized in training; the file holds weights only, and the program "
                  "that loads it decides how it multiplies",
                  count)};
}

}  // namespace

const std::vector<std::unique_ptr<const ExportTarget>>& export_targets() {
  static const auto targets = [] {
    std::vector<std::unique_ptr<const ExportTarget>> table;
    for (const char* block : {"Q4_0", "Q5_0", "Q8_0", "Q2_0", "Q1_0", "TQ1_0", "TQ2_0", "MXFP4"})
      table.push_back(gguf_block_target(block));
    for (const char* type : {"F16", "F32"}) table.push_back(gguf_float_target(type));
    table.push_back(dequantized_target());
    return table;
  }();
  return targets;
}

const ExportTarget& find_export_target(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& target : export_targets()) {
    if (target->name() == name) return *target;
    names.push_back(target->name());
  }
  const std::string near = nearest_name(name, names);
  fail("[export] there is no target '{}'; {}", name,
       near.empty() ? fmt::format("known: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
}

std::optional<std::string> export_refusal(const ExportTarget& target, const ShippedModel& model) {
  for (const auto& [name, layer] : model.record.layers) {
    const auto tensor = model.tensors.find(name);
    if (!layer.weight || tensor == model.tensors.end()) continue;
    const int64_t columns = tensor->second.value.size(-1), rows = tensor->second.value.numel() / columns;
    if (const auto reason = target.refusal(*layer.weight, rows, columns))
      return fmt::format("{} cannot hold {} ({}) exactly: {}; {}; {}", target.name(), name, layer.weight->name(),
                         *reason, advice(target, *layer.weight, rows, columns), accepting_targets(model));
  }
  return std::nullopt;
}

ExportReport export_model(const ShippedModel& model, const ExportTarget& target, const std::string& path) {
  if (const auto refused = export_refusal(target, model)) fail("[export] {}", *refused);
  ExportReport report = target.write(model, path);
  report.target = target.name();
  report.path = path;
  for (const std::string& note : activation_notes(model)) report.notes.push_back(note);
  return report;
}

ShippedModel round_to_target(const ShippedModel& model, const ExportTarget& target) {
  const auto spec = target.preferred();
  if (!spec) fail("[export] {} rounds nothing, so there is nothing to compare; leave --from-float out", target.name());
  if (!model.record.layers.empty()) fail("[export] the model was trained quantized; leave --from-float out");
  ShippedModel rounded = model;
  for (auto& [name, tensor] : rounded.tensors) {
    if (!is_projection(name)) continue;
    const int64_t columns = tensor.value.size(-1), rows = tensor.value.numel() / columns;
    if (const auto refused = target.refusal(*spec, rows, columns))
      fail("[export] {} cannot hold {}: {}", target.name(), name, *refused);
    tensor.quantized = quantize(tensor.value.contiguous(), *spec);
    tensor.value = dequantize(*tensor.quantized);
    rounded.record.layers[name].weight = *spec;
  }
  return rounded;
}

nlohmann::json to_json(const ExportReport& report) {
  nlohmann::json tensors = nlohmann::json::array();
  for (const ExportRow& row : report.tensors)
    tensors.push_back({{"name", row.name}, {"type", row.type}, {"bytes", row.bytes}});
  return {{"target", report.target},
          {"path", report.path},
          {"tensors", tensors},
          {"parameters", report.parameters},
          {"file_bytes", report.file_bytes},
          {"bits_per_weight", report.bits_per_weight()},
          {"notes", report.notes}};
}

std::string to_text(const ExportReport& report) {
  std::map<std::string, std::pair<int, uint64_t>> by_type;
  for (const ExportRow& row : report.tensors) {
    by_type[row.type].first += 1;
    by_type[row.type].second += row.bytes;
  }
  std::string text = fmt::format("{}: {}, {} bytes, {:.2f} bits a weight\n", report.path, report.target,
                                 report.file_bytes, report.bits_per_weight());
  for (const auto& [type, sum] : by_type)
    text += fmt::format("  {:<5} {} tensors, {} bytes\n", type, sum.first, sum.second);
  for (const std::string& note : report.notes) text += "note: " + note + "\n";
  return text;
}

}  // namespace detent
