#include "detent/qat/options.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>

#include "detent/base/error.h"
#include "detent/base/key_error.h"
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

void check_effect(const TensorQuantOptions& options, const QuantSpec& spec, const SurrogateMethod& method,
                  const std::string& where) {
  const kernels::Surrogate s = method.surrogate(spec);
  const float most = reach(spec.grid, spec.scale_rule);
  const bool never_masks = std::isfinite(s.u_hi) && s.u_lo <= -most && s.u_hi >= most;
  if (never_masks && spec.scale_rule != ScaleRule::kLearned)
    fail_key(where + ".surrogate",
             "{} never masks anything with scale {} on {}, because nothing is clipped; use surrogate: ste, or a scale "
             "that clips (rms, mean)",
             options.surrogate, scale_rule_name(spec.scale_rule), spec.grid.name());
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

// "*.down_proj" matches "model.layers.0.mlp.down_proj.weight" and the same without its ending.
bool glob_matches(const std::string& pattern, const std::string& name) {
  const std::string stem = name.ends_with(".weight") ? name.substr(0, name.size() - 7) : name;
  return fnmatch(pattern.c_str(), name.c_str(), 0) == 0 || fnmatch(pattern.c_str(), stem.c_str(), 0) == 0;
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
  for (const std::string& skip : options.skip)
    if (name.find(skip) != std::string::npos) return {};
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
  const QuantOptions defaults;
  for (const std::string& skip : options.skip) {
    const bool hit =
        std::any_of(names.begin(), names.end(), [&](const auto& n) { return n.find(skip) != std::string::npos; });
    const bool is_default = std::find(defaults.skip.begin(), defaults.skip.end(), skip) != defaults.skip.end();
    if (!hit && !is_default) fail_key("quant.skip", "names '{}', which is part of no layer's name", skip);
  }
  for (const Node& entry : options.layers.items) {
    const std::string match = match_of(entry);
    if (std::none_of(names.begin(), names.end(), [&](const auto& n) { return glob_matches(match, n); }))
      fail("{}: quant.layers: match '{}' fits no layer; a name is for instance '{}'", entry.where(), match,
           names.back());
  }
}

}  // namespace detent
