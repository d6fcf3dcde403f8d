#include "detent/quant/shipped.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <set>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/io/bytes.h"
#include "detent/quant/checkpoint_folder.h"
#include "detent/quant/model_files.h"
#include "detent/quant/shipped_reader.h"
#include "detent/quant/tensor_file.h"

namespace detent {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int kRecordVersion = 1;
constexpr int64_t kPart = int64_t{1} << 20;  // elements: few enough to stay in cache from step to step

json spec_or_null(const std::optional<QuantSpec>& spec) { return spec ? to_json(*spec) : json(nullptr); }
std::optional<QuantSpec> optional_spec(const json& value) {
  if (value.is_null()) return std::nullopt;
  return spec_from_json(value);
}

json read_json(const fs::path& path) {
  if (!fs::exists(path)) fail("cannot read {}: is this a model folder?", path.string());
  return parse_json(io::as_text(io::MappedFile(path).bytes()), path.string());
}

// Every tensor of the record is a matrix that its spec fits, and quantization.safetensors holds the scales that the
// record's specs learn, and nothing else.
void check_record(const ShippedModel& model, const io::SafetensorsReader& latent) {
  std::set<std::string> wanted;
  const auto check = [&](const std::string& name, const std::optional<QuantSpec>& spec, at::IntArrayRef shape) {
    if (!spec || spec->scale_rule != ScaleRule::kLearned) return;
    const auto found = model.learned.find(name);
    if (found == model.learned.end()) fail("{}: quantization.safetensors lacks '{}'", model.folder, name);
    if (found->second.sizes() != at::IntArrayRef(scale_shape(shape, *spec)))
      fail("{}: '{}' has the wrong shape for {}", model.folder, name, spec->name());
    check_finite(found->second, name, model.folder);
    wanted.insert(name);
  };
  for (const auto& [name, layer] : model.record.layers) {
    const io::TensorView* weight = latent.find(name);
    if (!weight) fail("{}: quantization.json names '{}', which model.safetensors lacks", model.folder, name);
    const std::vector<int64_t>& shape = weight->shape;
    if (shape.size() != 2)
      fail("{}: quantized tensor '{}' has {} dimensions, expected 2", model.folder, name, shape.size());
    if (layer.weight) check_shape(*layer.weight, shape[0], shape[1], name);
    if (layer.input) check_shape(*layer.input, 1, shape[1], name + " (input)");
    check(name + ".scale", layer.weight, shape);
    check(name + ".input_scale", layer.input, {1, shape[1]});
  }
  for (const auto& [name, scale] : model.learned)
    if (!wanted.contains(name))
      fail("{}: quantization.safetensors holds '{}', which quantization.json does not ask for", model.folder, name);
}

}  // namespace

bool QuantizationRecord::quantizes_weights() const {
  return std::any_of(layers.begin(), layers.end(), [](const auto& layer) { return layer.second.weight.has_value(); });
}

json to_json(const QuantizationRecord& record) {
  json layers = json::object();
  for (const auto& [name, layer] : record.layers)
    layers[name] = {{"weight", spec_or_null(layer.weight)}, {"input", spec_or_null(layer.input)}};
  json value = {{"version", kRecordVersion}, {"unquantized", storage_name(record.unquantized)}, {"layers", layers}};
  if (!record.target.empty()) value["target"] = record.target;
  return value;
}

QuantizationRecord record_from_json(const json& value) {
  try {
    if (value.at("version").get<int>() != kRecordVersion)
      fail("quantization.json has version {}, this program reads {}", value.at("version").dump(), kRecordVersion);
    QuantizationRecord record;
    record.unquantized = parse_storage(value.at("unquantized").get<std::string>());
    record.target = value.value("target", "");
    for (const auto& [name, layer] : value.at("layers").items())
      record.layers[name] = {optional_spec(layer.at("weight")), optional_spec(layer.at("input"))};
    return record;
  } catch (const json::exception& error) {
    fail("quantization.json is malformed: {}", error.what());
  }
}

ShippedTensor unread(at::IntArrayRef shape) {
  return {.value = at::empty(shape, at::TensorOptions(at::kFloat).device(at::kMeta))};
}

ShippedTensor ShippedModel::tensor(const std::string& name) const {
  const ShippedTensor& held = tensors.at(name);
  return held.value.is_meta() ? read(name) : held;
}

int64_t ShippedModel::part_rows(const std::string& name) const {
  const at::Tensor& value = tensors.at(name).value;
  const auto layer = record.layers.find(name);
  const bool whole = layer != record.layers.end() && layer->second.weight &&
                     layer->second.weight->granularity.kind == GranularityKind::kTensor;
  const int64_t rows = value.dim() > 0 ? value.size(0) : 1;
  if (value.dim() < 2 || !value.is_meta() || !read_rows || whole || value.numel() == 0) return rows;
  return std::clamp<int64_t>(kPart / (value.numel() / rows), 1, rows);
}

ShippedTensor ShippedModel::rows(const std::string& name, int64_t first, int64_t count) const {
  return part_rows(name) == tensors.at(name).value.size(0) ? tensor(name) : read_rows(name, first, count);
}

void ShippedModel::hold_all() {
  for (auto& [name, held] : tensors)
    if (held.value.is_meta()) held = read(name);
}

ShippedModel load_shipped(const std::string& folder, Codes codes) {
  check_files(folder);
  ShippedModel model = open_shipped(folder, codes);
  model.hold_all();
  return model;
}

ShippedModel read_shipped_record(const std::string& folder) {
  ShippedModel model;
  model.folder = folder;
  model.config = read_json(fs::path(folder) / "config.json");
  if (fs::exists(fs::path(folder) / "quantization.json"))
    model.record = record_from_json(read_json(fs::path(folder) / "quantization.json"));
  if (fs::exists(fs::path(folder) / "quantization.safetensors"))
    model.learned = read_float_tensors(fs::path(folder) / "quantization.safetensors");
  check_record(model, io::SafetensorsReader(folder));
  return model;
}

ShippedModel open_shipped(const std::string& folder, Codes codes) {
  ShippedModel model = read_shipped_record(folder);
  const auto reader = std::make_shared<const ShippedReader>(model, codes);
  const bool tied = model.config.is_object() && model.config.value("tie_word_embeddings", json()) == true;
  for (const io::TensorView& view : reader->tensors())
    if (!is_redundant(view.name, tied)) model.tensors[view.name] = unread(view.shape);
  model.read = [=](const std::string& name) { return reader->read(name); };
  model.read_rows = [=](const std::string& name, int64_t first, int64_t count) {
    return reader->read_rows(name, first, count);
  };
  return model;
}

}  // namespace detent
