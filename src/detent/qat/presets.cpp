#include "detent/qat/presets.h"

#include "detent/base/error.h"
#include "detent/base/key_error.h"
#include "detent/format/target_rules.h"
#include "detent/qat/options.h"

namespace detent {

const std::vector<Preset>& quant_presets() {
  static const std::vector<Preset> presets = {
      {"quest_w4a4",
       "weights: {grid: midrise, bits: 4, scale: rms, rotation: hadamard, group: row, surrogate: clip}\n"
       "activations: {grid: midrise, bits: 4, scale: rms, rotation: hadamard, group: token, surrogate: clip}\n",
       "arXiv 2502.05003, 2510.18784"},
      {"quest_w3a3",
       "weights: {grid: midrise, bits: 3, scale: rms, rotation: hadamard, group: row, surrogate: clip}\n"
       "activations: {grid: midrise, bits: 3, scale: rms, rotation: hadamard, group: token, surrogate: clip}\n",
       "arXiv 2502.05003, 2510.18784"},
      {"lsq_w4", "weights: {grid: int, bits: 4, scale: learned, group: row, surrogate: lsq}\n",
       "arXiv 1902.08153, 2502.02631"},
      {"lsq_w3", "weights: {grid: int, bits: 3, scale: learned, group: row, surrogate: lsq}\n",
       "arXiv 1902.08153, 2502.02631"},
      {"seq_w2", "weights: {grid: midrise, bits: 2, scale: learned, group: row, surrogate: seq}\n", "arXiv 2502.02631"},
      {"seq_w1.58", "weights: {grid: ternary, scale: learned, group: row, surrogate: seq}\n", "arXiv 2502.02631"},
      {"binary_w1", "weights: {grid: binary, scale: learned, group: row, surrogate: binary}\n", "arXiv 2502.02631"},
      {"bitnet_b1.58", "weights: {grid: ternary, scale: mean, group: tensor, surrogate: ternary}\n",
       "arXiv 2402.17764"},
      {"q4_0",
       "weights: {grid: int, bits: 4, scale: absmax_signed, group: 32, scale_format: fp16, surrogate: "
       "ste}\nunquantized: f16\n",
       "GGUF q4_0"},
      {"q2_0",
       "weights: {grid: int_high, bits: 2, scale: learned, initial_scale: absmax_signed, group: 64, scale_format: "
       "fp16, "
       "surrogate: lsq}\nunquantized: f16\n",
       "GGUF q2_0 with learned steps"}};
  return presets;
}

namespace {
// A start for learned scales means nothing once the scale is another: it goes with the scale that replaced it.
void drop_overridden(Node& base, const Node& over) {
  const Node* weights = over.find("weights");
  const Node* scale = weights ? weights->find("scale") : nullptr;
  if (!scale || scale->scalar == "learned" || !base.find("weights")) return;
  std::erase_if(base.at_or_add("weights").entries, [](const auto& entry) { return entry.first == "initial_scale"; });
}

void merge_under(const Node& base, Node& over) {
  for (const auto& [key, value] : base.entries) {
    if (const Node* found = over.find(key)) {
      if (value.kind == Node::Kind::kMap && found->kind == Node::Kind::kMap) merge_under(value, over.at_or_add(key));
    } else {
      over.at_or_add(key) = value;
    }
  }
}

// A name that is given; null for other kinds of values, which the reader of the block refuses.
const Node* named(const Node& quant, const char* key) {
  const Node* found = quant.find(key);
  return found && found->kind == Node::Kind::kScalar && !found->scalar.empty() ? found : nullptr;
}

void expand_preset(Node& quant) {
  const Node* preset = named(quant, "preset");
  if (!preset) return;
  std::vector<std::string> names;
  for (const Preset& p : quant_presets()) {
    names.push_back(p.name);
    if (preset->scalar != p.name) continue;
    Node base = parse_yaml(p.text, std::string("preset ") + p.name);
    drop_overridden(base, quant);
    merge_under(base, quant);
    return;
  }
  const std::string near = nearest_name(preset->scalar, names);
  fail("{}: unknown preset '{}'{}; known: {}", preset->where(), preset->scalar,
       near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", "));
}

TensorQuantOptions options_of(const QuantSpec& spec) {
  TensorQuantOptions options;
  options.grid = grid_kind_name(spec.grid.kind);
  options.bits = spec.grid.bits;
  options.scale = scale_rule_name(spec.scale_rule);
  options.group = spec.granularity.name();
  options.scale_format = scale_format_name(spec.scale_format);
  return options;
}

// The keys of a weight that are left open, as the target likes them best. A grid of one's own may need another rule.
Node preferred_weights(const QuantSpec& preferred, const Node* given) {
  TensorQuantOptions options = options_of(preferred);
  if (given) read_options(*given, options, "quant.weights.");
  const Grid grid =
      at_key("quant.weights.bits", [&] { return make_grid(options.grid, static_cast<int>(options.bits)); });
  if (!given || !given->find("scale")) options.scale = scale_rule_name(fitting_rule(grid, preferred.scale_rule));
  Node all = write_options(options);
  std::erase_if(all.entries, [](const auto& entry) {
    return entry.first != "grid" && entry.first != "bits" && entry.first != "scale" && entry.first != "group" &&
           entry.first != "scale_format";
  });
  return all;
}

void expand_target(Node& quant) {
  const Node* target = named(quant, "target");
  if (!target) return;
  const TargetRules& rules = *at_key("quant.target", [&] { return &find_target_rules(target->scalar); });
  const auto preferred = rules.preferred();
  if (!preferred) return;  // it asks for no grid of its own, and is only checked
  const Node* given = quant.find("weights");
  if (given && given->kind != Node::Kind::kMap) return;  // switched off
  Node base;
  base.at_or_add("weights") = preferred_weights(*preferred, given);
  base.at_or_add("unquantized") = make_node(rules.unquantized());
  merge_under(base, quant);
}

}  // namespace

void expand_quant(Node& quant) {
  expand_preset(quant);
  expand_target(quant);
}

}  // namespace detent
