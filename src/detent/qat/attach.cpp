#include "detent/qat/attach.h"

#include <ATen/ATen.h>

#include "detent/base/error.h"
#include "detent/base/key_error.h"
#include "detent/format/target_rules.h"
#include "detent/format/two_level.h"

namespace detent {

namespace {

const std::string kWeights = "quant.weights", kActivations = "quant.activations";  // keys, for messages

// Puts the layer's quantizers (or the stored value) on the slot's hook.
void hang(const QuantizedLayer& layer, Storage storage, const std::shared_ptr<InputCache>& inputs) {
  const nn::Slot& slot = layer.slot;
  if (!layer.weight && !layer.input) {
    if (storage == Storage::kF32) return;
    if (slot.value_rule)
      *slot.value_rule = std::make_shared<StoredValue>(storage);
    else
      *slot.linear_rule = std::make_shared<StoredValue>(storage);
    return;
  }
  if (slot.value_rule) {
    *slot.value_rule = std::make_shared<QuantizedValue>(layer.weight);
    return;
  }
  auto rule = std::make_shared<QuantizedLinear>();
  rule->weight = layer.weight;
  rule->input = layer.input;
  rule->storage = storage;
  rule->inputs = inputs;
  rule->rotate_input = layer.weight && layer.weight->spec().rotation == Rotation::kHadamardHalf && !layer.input;
  *slot.linear_rule = rule;
}

void check_rotations(const std::string& name, const std::optional<QuantSpec>& weight,
                     const std::optional<QuantSpec>& input) {
  const bool weight_half = weight && weight->rotation == Rotation::kHadamardHalf;
  const bool input_half = input && input->rotation == Rotation::kHadamardHalf;
  if ((input_half && !weight_half) || (weight_half && input && !input_half))
    fail_key(kWeights + ".rotation",
             "hadamard_half keeps the product of {} only when weights and activations both stay rotated; use it for "
             "both, or hadamard",
             name);
}

void check_layer(const nn::Slot& slot, const LayerQuant& quant, const std::optional<QuantSpec>& weight,
                 const std::optional<QuantSpec>& input) {
  const at::Tensor& w = *slot.parameter;
  if (quant.input && slot.value_rule)
    fail_key(kActivations, "cannot be: {} is a table, it has no input to quantize; skip it", slot.name);
  if (weight) at_key(kWeights + ".group", [&] { check_shape(*weight, w.size(0), w.size(1), slot.name); });
  if (input) at_key(kActivations + ".group", [&] { check_shape(*input, 1, w.size(1), slot.name + " (input)"); });
  if (input && input->scale_rule == ScaleRule::kLearned && input->granularity.kind != GranularityKind::kTensor)
    fail_key(kActivations + ".group", "must be tensor with scale: learned, because tokens come and go; got {}",
             input->granularity.name());
  if (input && input->scale_rule != ScaleRule::kLearned && input->granularity.kind == GranularityKind::kTensor)
    fail_key(kActivations + ".group",
             "must not be tensor: a scale found over a whole batch lets a token see later ones and other samples; use "
             "group: token, or scale: learned");
  if (weight && slot.value_rule && weight->rotation == Rotation::kHadamardHalf)
    fail_key(kWeights + ".rotation", "cannot be hadamard_half for the table {}; use hadamard or none", slot.name);
  check_rotations(slot.name, weight, input);
}

// What the file that will be shipped could not hold is refused before it is trained.
void check_target(const std::string& target, const std::string& name, int64_t columns,
                  const std::optional<QuantSpec>& weight, const std::optional<QuantSpec>& input) {
  if (target.empty()) return;
  const TargetRules& rules = *at_key("quant.target", [&] { return &find_target_rules(target); });
  if (const auto refused = weight ? refusal_text(rules, name, *weight, columns) : std::nullopt)
    fail_key(kWeights, "does not go with quant.target: {}", *refused);
  if (const auto refused = input ? rules.input_refusal(*input) : std::nullopt)
    fail_key(kActivations, "does not go with quant.target: {} cannot hold the input of {} ({}): {}", target, name,
             input->name(), *refused);
}

ScaleRule start_rule(const TensorQuantOptions& options, const SurrogateMethod& method, const QuantSpec& spec,
                     const std::string& where) {
  if (options.initial_scale.empty()) return method.initial_rule(spec.grid);  // its own initial_parameter knows it
  const ScaleRule rule = parse_scale_rule(options.initial_scale);
  if (!rule_fits(spec.grid, rule) || rule == ScaleRule::kLearned)
    fail_key(where + ".initial_scale", "cannot be {}: it gives no scale for grid {}", scale_rule_name(rule),
             spec.grid.name());
  const auto levels = two_level(spec.scale_format);
  if (levels && levels->low == 0 && rule == ScaleRule::kAbsmaxSigned)
    fail_key(where + ".initial_scale", "cannot be absmax_signed: scale_format {} has no negative scales",
             scale_format_name(spec.scale_format));
  return rule;
}

// id: the next quantizer's; each has its own noise.
QuantizedLayer attach_layer(const nn::Slot& slot, const LayerQuant& quant, QuantizedModel& model, uint32_t& id,
                            const std::shared_ptr<InputCache>& inputs) {
  QuantizedLayer layer{slot, nullptr, nullptr};
  std::optional<QuantSpec> weight, input;
  if (quant.weight) weight = to_spec(*quant.weight, kWeights);
  if (quant.input) input = to_spec(*quant.input, kActivations);
  check_target(model.record.target, slot.name, slot.parameter->size(-1), weight, input);
  check_layer(slot, quant, weight, input);
  if (weight) {
    std::shared_ptr<SurrogateMethod> method = make_surrogate(quant.weight->surrogate, quant.weight->surrogate_options);
    layer.weight = std::make_shared<TensorQuantizer>(slot.name, *weight, method, model.phase, id++);
    if (layer.weight->has_learned())
      layer.weight->start_learned(slot.parameter->detach(), start_rule(*quant.weight, *method, *weight, kWeights));
  }
  if (input) {
    std::shared_ptr<SurrogateMethod> method = make_surrogate(quant.input->surrogate, quant.input->surrogate_options);
    layer.input = std::make_shared<TensorQuantizer>(slot.name + " (input)", *input, method, model.phase, id++);
    if (layer.input->has_learned()) {
      layer.input->start_empty_learned(slot.parameter->device());
      layer.input->initial_rule = start_rule(*quant.input, *method, *input, kActivations);
    }
  }
  if (weight || input) model.record.layers[slot.name] = {weight, input};
  hang(layer, model.record.unquantized, inputs);
  return layer;
}

}  // namespace

std::vector<std::pair<std::string, TensorQuantizer*>> QuantizedModel::learned() const {
  std::vector<std::pair<std::string, TensorQuantizer*>> all;
  for (const QuantizedLayer& layer : layers) {
    if (layer.weight && layer.weight->has_learned()) all.emplace_back(layer.slot.name + ".scale", layer.weight.get());
    if (layer.input && layer.input->has_learned())
      all.emplace_back(layer.slot.name + ".input_scale", layer.input.get());
  }
  return all;
}

QuantizedModel attach(const QuantOptions& options, const std::vector<nn::Slot>& slots) {
  QuantizedModel model;
  model.record.unquantized = parse_storage(options.unquantized);
  model.record.target = options.target;
  std::vector<std::string> names;
  for (const nn::Slot& slot : slots)
    if (slot.role != nn::Role::kVector) names.push_back(slot.name);
  check_matches(options, names);
  uint32_t id = 0;
  const auto inputs = std::make_shared<InputCache>();
  for (const nn::Slot& slot : slots) {
    const LayerQuant quant = slot.role == nn::Role::kVector ? LayerQuant{} : layer_quant(options, slot.name);
    try {
      model.layers.push_back(attach_layer(slot, quant, model, id, inputs));
    } catch (const KeyError& error) {
      if (!quant.entry) throw;
      fail("{}: quant.layers: {}", quant.entry->where(), error.what());
    }
  }
  return model;
}

QuantizedModel attach(const QuantizationRecord& record, const std::map<std::string, at::Tensor>& learned,
                      const std::vector<nn::Slot>& slots) {
  QuantizedModel model;
  model.record = record;
  const auto make = [&](const std::string& name, const std::optional<QuantSpec>& spec, const std::string& scale) {
    std::shared_ptr<TensorQuantizer> quantizer;
    if (!spec) return quantizer;
    quantizer = std::make_shared<TensorQuantizer>(name, *spec, nullptr, model.phase, 0);
    if (!quantizer->has_learned()) return quantizer;
    const auto found = learned.find(scale);
    if (found == learned.end()) fail("quantization.safetensors lacks '{}'; the checkpoint is incomplete", scale);
    quantizer->learned() = found->second;
    quantizer->remember_signs();
    return quantizer;
  };
  const auto inputs = std::make_shared<InputCache>();
  for (const nn::Slot& slot : slots) {
    QuantizedLayer layer{slot, nullptr, nullptr};
    const auto found = record.layers.find(slot.name);
    if (found != record.layers.end()) {
      layer.weight = make(slot.name, found->second.weight, slot.name + ".scale");
      layer.input = make(slot.name + " (input)", found->second.input, slot.name + ".input_scale");
    }
    hang(layer, record.unquantized, inputs);
    model.layers.push_back(std::move(layer));
  }
  return model;
}

}  // namespace detent
