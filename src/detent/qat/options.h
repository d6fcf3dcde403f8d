// The `quant` block of a configuration.
#pragma once
#include <optional>

#include "detent/base/options.h"
#include "detent/format/spec.h"

namespace detent {

std::vector<std::string> surrogate_names();  // of qat/methods

struct TensorQuantOptions {
  std::string grid = "int";
  int64_t bits = 4;
  std::string scale = "absmax";
  std::string rotation = "none";
  std::string group = "row";
  std::string scale_format = "fp32";
  std::string surrogate = "ste";
  std::string initial_scale;  // learned scales; "": the surrogate's own rule
  Node surrogate_options;

  template <class V>
  void visit(V& v) {
    v.field("grid", grid, "which multiples of the scale a value may take", grid_names());
    v.field("bits", bits, "bits of int, int_high and midrise grids", Range{1, 8});
    v.field("scale", scale, "how a group's scale is found", scale_rule_names());
    v.field("rotation", rotation, "block Hadamard before quantizing, and back (or not: both operands stay rotated)",
            Choices{"none", "hadamard", "hadamard_half"});
    v.field("group", group, "what shares a scale: tensor, row (token for activations) or a number of inputs");
    v.field("scale_format", scale_format, "numbers a scale may be", scale_format_names());
    v.field("surrogate", surrogate, "where the gradient passes: a surrogate of `detent methods`", surrogate_names());
    v.field("initial_scale", initial_scale, "rule that learned scales start from; empty: the surrogate's own");
    v.field("surrogate_options", surrogate_options, "the surrogate's own options");
  }
};
// Fails on parts that do not fit together or that would have no effect; `where` is the block's key.
QuantSpec to_spec(const TensorQuantOptions& options, const std::string& where);

struct QuantOptions {
  std::string preset, target;
  std::optional<TensorQuantOptions> weights, activations;
  Node layers;  // list of {match, weights: {...}, activations: {...}}; the first match wins, only given keys change
  std::vector<std::string> skip = {"embed_tokens", "lm_head"};
  std::string unquantized = "f32";
  double scale_learning_rate = 1;

  template <class V>
  void visit(V& v) {
    v.field("preset", preset, "a named set of the keys below; given keys change it");
    v.field(
        "target", target,
        "what the run will be shipped as: chooses grid, bits, scale, group, scale_format and unquantized where they "
        "are not given, and refuses what it could not hold; see `detent methods --targets`");
    v.group("weights", weights, "how weights are quantized");
    v.group("activations", activations, "how the inputs of quantized layers are quantized");
    v.field(
        "layers", layers,
        "overrides by layer: {match, weights, activations}; match is a pattern for the whole name (*.down_proj); the "
        "first match wins");
    v.field("skip", skip,
            "layers left unquantized, by part of their name or a pattern (*.0.*); a list replaces the default");
    v.field("unquantized", unquantized, "what embeddings, head, norms and skipped layers are stored as",
            Choices{"f32", "f16", "bf16", "q8_0"});
    v.field("scale_learning_rate", scale_learning_rate, "learning rate of learned scales, as a multiple", kNonNegative);
  }
};

// What a layer is quantized to after skip and overrides; both empty: left alone.
struct LayerQuant {
  std::optional<TensorQuantOptions> weight, input;
  const Node* entry = nullptr;  // of quant.layers, where one matched; belongs to the options
};
LayerQuant layer_quant(const QuantOptions& options, const std::string& weight_name);
// Fails if an entry of skip or layers matches none of the names, or one of layers none that is left to it.
void check_matches(const QuantOptions& options, const std::vector<std::string>& names);
// Layers that the default of skip names and that are quantized only because a list was given in its place.
std::vector<std::string> quantized_by_skip(const QuantOptions& options, const std::vector<std::string>& names);

}  // namespace detent
