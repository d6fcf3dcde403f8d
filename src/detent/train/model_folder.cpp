#include "detent/train/model_folder.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>

#include "detent/base/error.h"
#include "detent/quant/checkpoint_folder.h"
#include "detent/train/checkpoint.h"

namespace detent {

namespace fs = std::filesystem;

std::string model_folder(const std::string& path) {
  if (!fs::is_directory(path)) fail("{} is not a folder; name a Hugging Face folder, a run or a checkpoint", path);
  if (fs::exists(fs::path(path) / "config.json")) return path;
  if (const auto newest = newest_checkpoint(path)) return *newest;
  fail("{}: neither a model folder (config.json) nor a run with a checkpoint", path);
}

namespace {

std::unique_ptr<CausalLm> model_with(const nlohmann::json& config, TensorMap weights, const std::string& source) {
  auto model = std::make_unique<CausalLm>(decoder_config_from_json(config, source + "/config.json"), 0);
  TensorMap live;
  for (const nn::Slot& slot : model->slots()) live[slot.name] = *slot.parameter;
  // Some writers store the tied head a second time.
  if (model->config().tie_word_embeddings) weights.erase("lm_head.weight");
  copy_into(live, weights, source);
  return model;
}

}  // namespace

std::unique_ptr<CausalLm> load_latent_model(const std::string& folder) {
  check_files(folder);
  std::ifstream in(fs::path(folder) / "config.json");
  const nlohmann::json config = nlohmann::json::parse(in, nullptr, false);
  if (config.is_discarded()) fail("{}/config.json: not valid JSON", folder);
  return model_with(config, read_float_tensors(folder), folder);
}

InferenceModel inference_model(const ShippedModel& shipped) {
  TensorMap values;
  for (const auto& [name, tensor] : shipped.tensors) values[name] = tensor.value;
  InferenceModel result{model_with(shipped.config, std::move(values), shipped.folder), {}};
  // The values are final: only the inputs still need their quantizers, and half-rotated weights their input's rotation.
  result.quantized = attach(shipped.record, shipped.learned, result.model->slots());
  for (QuantizedLayer& layer : result.quantized.layers) {
    if (layer.slot.value_rule) layer.slot.value_rule->reset();
    if (!layer.slot.linear_rule) continue;
    auto* rule = dynamic_cast<QuantizedLinear*>(layer.slot.linear_rule->get());
    if (!rule) {
      layer.slot.linear_rule->reset();
      continue;
    }
    rule->weight = nullptr;
    rule->storage = Storage::kF32;
  }
  return result;
}

}  // namespace detent
