#include "detent/train/model_folder.h"

#include <ATen/ATen.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "detent/architectures/parameters.h"
#include "detent/base/error.h"
#include "detent/import/load.h"
#include "detent/import/model_path.h"
#include "detent/kernels/float_gemm/float_gemm.h"
#include "detent/qat/packed_linear.h"
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

// The values are final: only the inputs still need their quantizers, and half-rotated weights their input's rotation.
void settle(const nn::Slot& slot) {
  if (slot.value_rule) slot.value_rule->reset();
  if (!slot.linear_rule) return;
  const auto rule = std::dynamic_pointer_cast<QuantizedLinear>(*slot.linear_rule);
  if (rule) {
    rule->weight = nullptr;
    rule->storage = Storage::kF32;
  } else {
    slot.linear_rule->reset();
  }
}

// In place of a settled one.
void pack(const nn::Slot& slot, ops::PackedCodes codes) {
  const auto rule = std::dynamic_pointer_cast<QuantizedLinear>(*slot.linear_rule);
  *slot.linear_rule =
      std::make_shared<PackedLinear>(std::move(codes), rule ? rule->input : nullptr, rule && rule->rotate_input);
}

// Whether no product of a scale and a level overflows. Where one might, the values are looked at.
bool surely_finite(const Quantized& q) {
  const float top = std::fmax(std::fabs(q.spec.grid.level(q.spec.grid.lo())), q.spec.grid.level(q.spec.grid.hi()));
  return at::isfinite(q.scales.mul(top)).all().item<bool>();
}

// A weight for inference: as codes where they are wanted and there are some, else its values.
struct HeldWeight {
  std::optional<ops::PackedCodes> codes;
  at::Tensor value;
};
HeldWeight hold(const ShippedModel& shipped, const std::string& name, bool as_codes) {
  if (as_codes && shipped.read_codes)  // a packed file: no value is made
    if (const std::optional<Quantized> codes = shipped.read_codes(name); codes && surely_finite(*codes))
      if (auto packed = packed_codes(*codes)) return {std::move(packed), {}};
  const ShippedTensor tensor = shipped.tensor(name);
  if (as_codes && tensor.quantized)
    if (auto packed = packed_codes(*tensor.quantized)) return {std::move(packed), {}};
  return {std::nullopt, tensor.value};  // shared, not copied
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

InferenceModel inference_model(const ShippedModel& shipped, Weights weights) {
  const DecoderConfig config = decoder_config_from_json(shipped.config, shipped.folder + ": config.json");
  InferenceModel result{std::make_unique<CausalLm>(config), {}};
  const std::vector<nn::Slot> slots = result.model->slots();
  const std::vector<ParameterInfo> wanted = parameters(config);
  const bool packs = weights == Weights::kPacked && kernels::float_gemm_fuses();
  std::map<std::string, ops::PackedCodes> packed;
  for (size_t i = 0; i < slots.size(); ++i) {
    const auto found = shipped.tensors.find(slots[i].name);
    if (found == shipped.tensors.end()) fail("{}: tensor '{}' is missing", shipped.folder, slots[i].name);
    if (found->second.value.sizes() != at::IntArrayRef(wanted[i].shape))
      fail("{}: tensor '{}' has not the shape that its config asks for", shipped.folder, slots[i].name);
    HeldWeight held = hold(shipped, slots[i].name, packs && slots[i].linear_rule);
    *slots[i].parameter = held.codes ? unread(wanted[i].shape).value : held.value;
    if (held.codes) packed.emplace(slots[i].name, std::move(*held.codes));
  }
  result.quantized = attach(shipped.record, shipped.learned, slots);
  for (const QuantizedLayer& layer : result.quantized.layers) settle(layer.slot);
  for (const nn::Slot& slot : slots)
    if (const auto codes = packed.find(slot.name); codes != packed.end()) pack(slot, std::move(codes->second));
  return result;
}

}  // namespace detent
