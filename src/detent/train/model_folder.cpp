#include "detent/train/model_folder.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "detent/architectures/parameters.h"
#include "detent/base/error.h"
#include "detent/import/load.h"
#include "detent/import/model_path.h"
#include "detent/quant/checkpoint_folder.h"
#include "detent/quant/model_files.h"
#include "detent/quant/tensor_file.h"

namespace detent {

namespace {

// The packed values are where training goes on from.
std::unique_ptr<CausalLm> from_values(const ShippedModel& shipped) {
  auto model = std::make_unique<CausalLm>(decoder_config_from_json(shipped.config, shipped.folder));
  for (const nn::Slot& slot : model->slots()) *slot.parameter = shipped.tensors.at(slot.name).value;
  return model;
}

}  // namespace

std::unique_ptr<CausalLm> load_latent_model(const std::string& folder) {
  if (is_packed_model(folder)) return from_values(load_packed(folder));
  check_files(folder);
  const ModelFiles files = open_model(folder);
  auto model = std::make_unique<CausalLm>(files.config);
  for (const nn::Slot& slot : model->slots()) {
    *slot.parameter = read_float_tensor(files.weights, files.weights.at(slot.name));
    check_finite(*slot.parameter, slot.name, folder);
  }
  return model;
}

InferenceModel inference_model(const ShippedModel& shipped) {
  const DecoderConfig config = decoder_config_from_json(shipped.config, shipped.folder + ": config.json");
  InferenceModel result{std::make_unique<CausalLm>(config), {}};
  const std::vector<nn::Slot> slots = result.model->slots();
  const std::vector<ParameterInfo> wanted = parameters(config);
  for (size_t i = 0; i < slots.size(); ++i) {
    const auto found = shipped.tensors.find(slots[i].name);
    if (found == shipped.tensors.end()) fail("{}: tensor '{}' is missing", shipped.folder, slots[i].name);
    if (found->second.value.sizes() != at::IntArrayRef(wanted[i].shape))
      fail("{}: tensor '{}' has not the shape that its config asks for", shipped.folder, slots[i].name);
    *slots[i].parameter = found->second.value;  // shared, not copied
  }
  // The values are final: only the inputs still need their quantizers, and half-rotated weights their input's rotation.
  result.quantized = attach(shipped.record, shipped.learned, slots);
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
