#include "detent/format/spec.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "detent/base/error.h"
#include "detent/format/two_level.h"

namespace detent {

namespace {
const char* const kRotations[] = {"none", "hadamard", "hadamard_half"};
}

int64_t Granularity::group_length(int64_t rows, int64_t columns) const {
  switch (kind) {
    case GranularityKind::kTensor:
      return rows * columns;
    case GranularityKind::kRow:
      return columns;
    case GranularityKind::kGroup:
      return size;
  }
  return columns;
}

std::string Granularity::name() const {
  if (kind == GranularityKind::kGroup) return std::to_string(size);
  return kind == GranularityKind::kTensor ? "tensor" : "row";
}

Granularity parse_granularity(const std::string& text) {
  if (text == "tensor") return {GranularityKind::kTensor, 0};
  if (text == "row" || text == "token") return {GranularityKind::kRow, 0};
  int64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end != text.data() + text.size() || size < 1 || size > (int64_t{1} << 30))
    fail("[granularity] '{}' is neither tensor, row, token nor a group size", text);
  return {GranularityKind::kGroup, size};
}

Rotation parse_rotation(const std::string& name) {
  for (int i = 0; i < 3; ++i)
    if (name == kRotations[i]) return static_cast<Rotation>(i);
  fail("[rotation] unknown rotation '{}'; known: none, hadamard, hadamard_half", name);
}

std::string rotation_name(Rotation rotation) { return kRotations[static_cast<int>(rotation)]; }

int64_t hadamard_block(int64_t columns) {
  int64_t block = 1;
  while (block < 128 && columns % (2 * block) == 0) block *= 2;
  return block;
}

std::string QuantSpec::name() const {
  std::string text = fmt::format("{} {} {}", grid.name(), scale_rule_name(scale_rule), granularity.name());
  if (scale_format != ScaleFormat::kFp32) text += " " + scale_format_name(scale_format);
  if (rotation != Rotation::kNone) text += " " + rotation_name(rotation);
  return text;
}

std::optional<std::string> spec_problem(const QuantSpec& spec) {
  if (!rule_fits(spec.grid, spec.scale_rule)) {
    std::string fitting;
    for (const std::string& name : scale_rule_names())
      if (rule_fits(spec.grid, parse_scale_rule(name))) fitting += (fitting.empty() ? "" : ", ") + name;
    return fmt::format("scale rule {} is not defined for grid {}; use one of: {}", scale_rule_name(spec.scale_rule),
                       spec.grid.name(), fitting);
  }
  // Elsewhere a scale rounded to a power of two would clip, or waste, up to half of the grid.
  const bool full_or_learned = spec.scale_rule == ScaleRule::kAbsmaxFull || spec.scale_rule == ScaleRule::kLearned;
  if (spec.scale_format == ScaleFormat::kE8M0 && (spec.grid.uniform() || !full_or_learned))
    return fmt::format("scale_format e8m0 goes with grid e2m1 and scale absmax_full or learned, not with {} {}",
                       spec.grid.name(), scale_rule_name(spec.scale_rule));
  return two_level_problem(spec);
}

void check_spec(const QuantSpec& spec) {
  if (const auto problem = spec_problem(spec)) fail("[quant] {}", *problem);
}

void check_shape(const QuantSpec& spec, int64_t rows, int64_t columns, const std::string& tensor) {
  if (rows < 1 || columns < 1) fail("[quant] {} is empty: [{}, {}]", tensor, rows, columns);
  if (spec.granularity.kind == GranularityKind::kGroup && columns % spec.granularity.size != 0)
    fail("[quant] {}: {} input features are not a multiple of the group of {}; use group: row, or skip the layer",
         tensor, columns, spec.granularity.size);
  if (two_level(spec.scale_format) && columns % kSuperBlock != 0)
    fail("[quant] {}: {} input features are not a multiple of the {} that share a super-scale of {}; skip the layer",
         tensor, columns, kSuperBlock, scale_format_name(spec.scale_format));
}

float learned_scale(float parameter, const QuantSpec& spec) {
  const float floored = std::copysign(std::fmax(std::fabs(parameter), kLearnedFloor), parameter);
  return round_scale((std::isnan(parameter) ? parameter : floored) / spec.learned_unit, spec.scale_format);
}

nlohmann::json to_json(const QuantSpec& spec) {
  return {{"grid", grid_kind_name(spec.grid.kind)},
          {"bits", spec.grid.bits},
          {"group", spec.granularity.name()},
          {"scale", scale_rule_name(spec.scale_rule)},
          {"scale_format", scale_format_name(spec.scale_format)},
          {"rotation", rotation_name(spec.rotation)},
          {"learned_unit", spec.learned_unit}};
}

QuantSpec spec_from_json(const nlohmann::json& json) {
  try {
    QuantSpec spec{make_grid(json.at("grid").get<std::string>(), json.at("bits").get<int>()),
                   parse_granularity(json.at("group").get<std::string>()),
                   parse_scale_rule(json.at("scale").get<std::string>()),
                   parse_scale_format(json.at("scale_format").get<std::string>()),
                   parse_rotation(json.at("rotation").get<std::string>()),
                   json.at("learned_unit").get<float>()};
    check_spec(spec);
    return spec;
  } catch (const nlohmann::json::exception& error) {
    fail("[quant] a stored quantization spec is malformed: {}", error.what());
  }
}

}  // namespace detent
