#include "detent/qat/options.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "detent/base/error.h"
#include "detent/base/key_error.h"
#include "detent/base/tensor_name.h"
#include "detent/qat/method.h"

namespace detent {

namespace {

// The largest |x/d| that a rule's scale lets through; infinite where the tail of the distribution decides.
float reach(const Grid& grid, ScaleRule rule) {
  switch (rule) {
    case ScaleRule::kAbsmax:
      return grid.symmetric_top();
    case ScaleRule::kAbsmaxFull:
      return grid.uniform() ? static_cast<float>(grid.level_count() - 1) / 2 : 8;
    case ScaleRule::kAbsmaxSigned:
      return static_cast<float>(std::max(-grid.lo(), grid.hi()));
    default:
      return INFINITY;
  }
}

// What else there is to do where nothing is clipped.
std::string clipping_scales(const Grid& grid) {
  std::vector<std::string> names;
  for (const ScaleRule rule : {ScaleRule::kRms, ScaleRule::kMean})
    if (rule_fits(grid, rule)) names.push_back(scale_rule_name(rule));
  return names.empty() ? "" : fmt::format(", or a scale that clips ({})", fmt::join(names, ", "));
}

void check_effect(const TensorQuantOptions& options, const QuantSpec& spec, const SurrogateMethod& method,
                  const std::string& where) {
  const kernels::Surrogate s = method.surrogate(spec);
  const float most = reach(spec.grid, spec.scale_rule);
  const bool never_masks = std::isfinite(s.u_hi) && s.u_lo <= -most && s.u_hi >= most;
  if (never_masks && spec.scale_rule != ScaleRule::kLearned)
    fail_key(where + ".surrogate",
             "{} never masks anything with scale {} on {}, because nothing is clipped; use surrogate: ste{}",
             options.surrogate, scale_rule_name(spec.scale_rule), spec.grid.name(), clipping_scales(spec.grid));
  if (!options.initial_scale.empty() && spec.scale_rule != ScaleRule::kLearned)
    fail_key(where + ".initial_scale", "has no effect with scale {}; it is for scale: learned", options.scale);
}

// The override of one entry of quant.layers, applied on top of the base.
void apply_override(const Node& entry, const char* key, std::optional<TensorQuantOptions>& options) {
  const Node* found = entry.find(key);
  if (!found) return;
  if (found->kind == Node::Kind::kNull || (found->kind == Node::Kind::kScalar && found->scalar == "none")) {
    options.reset();
    return;
  }
  if (found->kind != Node::Kind::kMap)
    fail("{}: quant.layers.{} expects a block of keys, or none", found->where(), key);
  if (!options) options.emplace();
  read_options(*found, *options, std::string("quant.layers.") + key + ".");
}

std::string match_of(const Node& entry) {
  if (entry.kind != Node::Kind::kMap)
    fail("{}: quant.layers expects a list of {{match, weights, activations}}", entry.where());
  for (const auto& [key, value] : entry.entries)
    if (key != "match" && key != "weights" && key != "activations")
      fail_unknown_key(value, key, "quant.layers.", {"match", "weights", "activations"});
  const Node* match = entry.find("match");
  if (!match || match->kind != Node::Kind::kScalar) fail("{}: an entry of quant.layers lacks its match", entry.where());
  return match->scalar;
}

bool is_skipped(const QuantOptions& options, const std::string& name) {
  return std::any_of(options.skip.begin(), options.skip.end(),
                     [&](const auto& entry) { return names_tensor(entry, name); });
}

void check_skip(const QuantOptions& options, const std::vector<std::string>& names) {
  const QuantOptions defaults;
  for (const std::string& entry : options.skip) {
    const bool hit =
        std::any_of(names.begin(), names.end(), [&](const auto& name) { return names_tensor(entry, name); });
    const bool is_default = std::find(defaults.skip.begin(), defaults.skip.end(), entry) != defaults.skip.end();
    if (!hit && !is_default)
      fail_key("quant.skip", "names '{}', which is part of no layer's name; one is for instance '{}'", entry,
               names.back());
  }
}

// An entry of quant.layers has to decide for some layer.
void check_entry(const QuantOptions& options, const Node& entry, const std::vector<std::string>& names) {
  const std::string match = match_of(entry);
  std::vector<std::string> fitting;
  std::copy_if(names.begin(), names.end(), std::back_inserter(fitting),
               [&](const auto& name) { return glob_matches(match, name); });
  if (fitting.empty())
    fail("{}: quant.layers: match '{}' fits no layer; a name is for instance '{}'", entry.where(), match, names.back());
  std::erase_if(fitting, [&](const auto& name) { return is_skipped(options, name); });
  if (fitting.empty())
    fail(
        "{}: quant.layers: match '{}' has no effect: quant.skip leaves out all that it fits; take it out of quant.skip",
        entry.where(), match);
  if (std::none_of(fitting.begin(), fitting.end(),
                   [&](const auto& name) { return layer_quant(options, name).entry == &entry; }))
    fail(
        "{}: quant.layers: match '{}' has no effect: entries above it fit the same layers, and the first match wins; "
        "put it above them",
        entry.where(), match);
}

}  // namespace

QuantSpec to_spec(const TensorQuantOptions& o, const std::string& where) {
  const auto at = [&](const char* key, auto read) { return at_key(where + "." + key, read); };
  QuantSpec spec{at("bits", [&] { return make_grid(o.grid, static_cast<int>(o.bits)); }),
                 at("group", [&] { return parse_granularity(o.group); }),
                 at("scale", [&] { return parse_scale_rule(o.scale); }),
                 at("scale_format", [&] { return parse_scale_format(o.scale_format); }),
                 at("rotation", [&] { return parse_rotation(o.rotation); })};
  const auto method = make_surrogate(o.surrogate, o.surrogate_options);  // its options name their own line
  spec.learned_unit = spec.scale_rule == ScaleRule::kLearned ? method->learned_unit(spec.grid) : 1;
  at("scale", [&] { check_spec(spec); });
  at("surrogate", [&] { method->check(spec); });
  check_effect(o, spec, *method, where);
  return spec;
}

LayerQuant layer_quant(const QuantOptions& options, const std::string& name) {
  if (is_skipped(options, name)) return {};
  LayerQuant layer{options.weights, options.activations};
  for (const Node& entry : options.layers.items) {
    if (!glob_matches(match_of(entry), name)) continue;
    layer.entry = &entry;
    apply_override(entry, "weights", layer.weight);
    apply_override(entry, "activations", layer.input);
    break;
  }
  return layer;
}

void check_matches(const QuantOptions& options, const std::vector<std::string>& names) {
  if (options.layers.kind != Node::Kind::kList && options.layers.kind != Node::Kind::kNull)
    fail("{}: quant.layers expects a list", options.layers.where());
  check_skip(options, names);
  for (const Node& entry : options.layers.items) check_entry(options, entry, names);
}

std::vector<std::string> quantized_by_skip(const QuantOptions& options, const std::vector<std::string>& names) {
  std::vector<std::string> found;
  for (const std::string& usual : QuantOptions().skip)
    for (const std::string& name : names) {
      const LayerQuant quant = names_tensor(usual, name) ? layer_quant(options, name) : LayerQuant{};
      if ((quant.weight || quant.input) && !quant.entry) found.push_back(name);
    }
  return found;
}

}  // namespace detent
