#include "detent/deploy/target.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "detent/architectures/parameters.h"
#include "detent/base/error.h"
#include "detent/base/tensor_name.h"
#include "detent/deploy/compressed_target.h"
#include "detent/deploy/dequantized_target.h"
#include "detent/deploy/gguf_target.h"
#include "detent/deploy/model_parts.h"
#include "detent/io/atomic_file.h"

namespace detent {

namespace {

std::unique_ptr<const ExportTarget> make_target(const TargetRules& rules) {
  if (rules.name().starts_with("gguf:")) return gguf_target(rules);
  return rules.name() == "compressed-tensors" ? compressed_target(rules) : dequantized_target(rules);
}

std::string accepting_targets(const ShippedModel& model) {
  std::vector<std::string> names;
  for (const auto& target : export_targets()) {
    const auto refused = [&](const auto& layer) {
      const auto& [weight, input] = layer.second;
      return (weight && target->rules().refusal(*weight, 0)) || (input && target->rules().input_refusal(*input));
    };
    if (std::none_of(model.record.layers.begin(), model.record.layers.end(), refused)) names.push_back(target->name());
  }
  if (names.empty()) return "no target accepts this model";
  return fmt::format("as it is, the model can go to {}", fmt::join(names, " or "));
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

std::vector<std::string> projections_but(const ShippedModel& model, const std::vector<std::string>& skip) {
  std::vector<std::string> left;
  for (const auto& [name, tensor] : model.tensors)
    if (is_projection(name)) left.push_back(name);
  std::set<std::string> skipped;
  for (const std::string& entry : skip) {
    const auto named = [&](const std::string& name) { return names_tensor(entry, name); };
    if (std::none_of(left.begin(), left.end(), named))
      fail("[export] --skip names '{}', which fits no projection's name; table, head and norms are left anyway", entry);
    std::copy_if(left.begin(), left.end(), std::inserter(skipped, skipped.end()), named);
  }
  std::erase_if(left, [&](const std::string& name) { return skipped.contains(name); });
  if (left.empty()) fail("[export] --skip leaves no projection to round; leave --from-float out");
  return left;
}

}  // namespace

const std::vector<std::unique_ptr<const ExportTarget>>& export_targets() {
  static const auto targets = [] {
    std::vector<std::unique_ptr<const ExportTarget>> table;
    for (const auto& rules : target_rules()) table.push_back(make_target(*rules));
    return table;
  }();
  return targets;
}

const ExportTarget& find_export_target(const std::string& name) {
  const TargetRules& rules = find_target_rules(name);
  return **std::find_if(export_targets().begin(), export_targets().end(),
                        [&](const auto& target) { return &target->rules() == &rules; });
}

std::optional<std::string> export_refusal(const ExportTarget& target, const ShippedModel& model) {
  for (const auto& [name, layer] : model.record.layers) {
    const auto tensor = model.tensors.find(name);
    if (const auto refused = layer.input ? target.rules().input_refusal(*layer.input) : std::nullopt)
      return fmt::format("{} cannot hold the input of {} ({}): {}; {}", target.name(), name, layer.input->name(),
                         *refused, accepting_targets(model));
    if (!layer.weight || tensor == model.tensors.end()) continue;
    const int64_t columns = tensor->second.value.size(-1);
    if (const auto refused = refusal_text(target.rules(), name, *layer.weight, columns))
      return fmt::format("{}; {}", *refused, accepting_targets(model));
  }
  return std::nullopt;
}

ExportReport export_model(const ShippedModel& model, const ExportTarget& target, const std::string& path) {
  if (const auto refused = export_refusal(target, model)) fail("[export] {}", *refused);
  if (target.name().starts_with("gguf:")) io::check_replaceable(path, "GGUF", "a GGUF file");
  io::create_parent(path);
  ExportReport report = target.write(model, path);
  report.target = target.name();
  report.path = path;
  if (!target.rules().keeps_inputs())
    for (const std::string& note : activation_notes(model)) report.notes.push_back(note);
  return report;
}

ShippedModel round_to_target(const ShippedModel& model, const ExportTarget& target,
                             const std::vector<std::string>& skip) {
  const auto spec = target.rules().preferred();
  if (!spec) fail("[export] {} rounds nothing, so there is nothing to compare; leave --from-float out", target.name());
  if (model.record.quantizes_weights()) fail("[export] the model was trained quantized; leave --from-float out");
  ShippedModel rounded = model;
  for (const std::string& name : projections_but(model, skip)) {
    ShippedTensor& tensor = rounded.tensors[name];
    if (const auto refused = target.rules().refusal(*spec, tensor.value.size(-1)))
      fail("[export] {} cannot hold {}: {}; --skip leaves it as it is", target.name(), name, *refused);
    tensor = unread(tensor.value.sizes());
    rounded.record.layers[name].weight = *spec;
  }
  rounded.read_rows = nullptr;
  rounded.read = [model, spec, layers = rounded.record.layers](const std::string& name) {
    const ShippedTensor tensor = model.tensor(name);
    const auto layer = layers.find(name);
    if (layer == layers.end() || !layer->second.weight) return tensor;
    const Quantized quantized = quantize(tensor.value.contiguous(), *spec);
    return ShippedTensor{.value = dequantize(quantized), .quantized = quantized};
  };
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
