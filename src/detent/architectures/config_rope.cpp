#include "detent/architectures/config_rope.h"

#include <optional>

#include "detent/architectures/json_value.h"
#include "detent/base/error.h"
#include "detent/base/json.h"

namespace detent {

namespace {

using nlohmann::json;

struct NamedType {
  RopeType type;
  const char* name;
};
constexpr NamedType kTypes[] = {{RopeType::kDefault, "default"},
                                {RopeType::kLinear, "linear"},
                                {RopeType::kDynamic, "dynamic"},
                                {RopeType::kLlama3, "llama3"}};

RopeType read_type(const json& rope, const std::string& where) {
  std::optional<std::string> name;
  for (const char* key : {"rope_type", "type"}) {
    const json* found = find_value(rope, key);
    if (!found) continue;
    if (!found->is_string()) fail("{}.{} has the wrong type: {}", where, key, short_dump(*found));
    if (name && *name != found->get<std::string>())
      fail("{}: rope_type and type disagree: {} and {}", where, in_quotes(*name), short_dump(*found));
    name = found->get<std::string>();
  }
  for (const auto& [type, known] : kTypes)
    if (name.value_or("default") == known) return type;
  fail("{}: rotary scaling {} is not handled; known: default, linear, dynamic, llama3", where, in_quotes(*name));
}

bool belongs(RopeType type, const std::string& key) {
  if (key == "rope_type" || key == "type" || key == "rope_theta") return true;
  if (key == "factor") return type != RopeType::kDefault;
  return type == RopeType::kLlama3 &&
         (key == "low_freq_factor" || key == "high_freq_factor" || key == "original_max_position_embeddings");
}

// One of the two blocks. `rope_theta` stays what it was where the block has none.
void read_block(const json& rope, DecoderConfig& config, const std::string& where) {
  if (!rope.is_object()) fail("{} is not a block of keys", where);
  RopeScaling scaling{.type = read_type(rope, where)};
  for (const auto& [key, value] : rope.items())
    if (!belongs(scaling.type, key) && !value.is_null() && !(key == "partial_rotary_factor" && value == 1))
      fail("{}.{} = {} changes the maths and is not handled", where, in_quotes(key), short_dump(value));
  if (scaling.type != RopeType::kDefault && !find_value(rope, "factor")) fail("{}: 'factor' is missing", where);
  scaling.original_max_position_embeddings = scaling.type == RopeType::kLlama3 ? config.max_position_embeddings : 0;
  for (const char* key : {"low_freq_factor", "high_freq_factor"})
    if (scaling.type == RopeType::kLlama3 && !find_value(rope, key)) fail("{}: '{}' is missing", where, key);
  take_number(rope, "factor", scaling.factor, where);
  take_number(rope, "low_freq_factor", scaling.low_freq_factor, where);
  take_number(rope, "high_freq_factor", scaling.high_freq_factor, where);
  take_size(rope, "original_max_position_embeddings", scaling.original_max_position_embeddings, where);
  take_number(rope, "rope_theta", config.rope_theta, where);
  config.rope_scaling = scaling;
}

bool same(const RopeScaling& a, const RopeScaling& b) {
  return a.type == b.type && a.factor == b.factor && a.low_freq_factor == b.low_freq_factor &&
         a.high_freq_factor == b.high_freq_factor &&
         a.original_max_position_embeddings == b.original_max_position_embeddings;
}

}  // namespace

void read_rope(const json& root, DecoderConfig& config, const std::string& source) {
  const bool base = find_value(root, "rope_theta");
  const json *older = find_value(root, "rope_scaling"), *newer = find_value(root, "rope_parameters");
  take_number(root, "rope_theta", config.rope_theta, source);
  const double outer_theta = config.rope_theta;
  if (older) read_block(*older, config, source + ": rope_scaling");
  const DecoderConfig before = config;
  if (newer) read_block(*newer, config, source + ": rope_parameters");
  if (newer && (older || base)) {
    const bool theta = !base || config.rope_theta == outer_theta;
    if (!theta ||
        (older && (config.rope_theta != before.rope_theta || !same(config.rope_scaling, before.rope_scaling))))
      fail("{}: rope_parameters and the older {} disagree; remove one of them", source,
           theta ? "rope_scaling" : "rope_theta");
  }
}

void write_rope(const DecoderConfig& config, json& root) {
  const RopeScaling& scaling = config.rope_scaling;
  const std::string name = kTypes[static_cast<int>(scaling.type)].name;
  json newer = {{"rope_type", name}, {"rope_theta", config.rope_theta}};
  json older = nullptr;
  // Readers of the time of linear and dynamic want a block of exactly these two keys.
  if (scaling.type == RopeType::kLinear || scaling.type == RopeType::kDynamic)
    older = {{"type", name}, {"factor", scaling.factor}};
  if (scaling.type == RopeType::kLlama3)
    older = {{"rope_type", name},
             {"factor", scaling.factor},
             {"low_freq_factor", scaling.low_freq_factor},
             {"high_freq_factor", scaling.high_freq_factor},
             {"original_max_position_embeddings", scaling.original_max_position_embeddings}};
  if (!older.is_null())
    for (const auto& [key, value] : older.items())
      if (key != "type") newer[key] = value;
  root["rope_theta"] = config.rope_theta;
  root["rope_scaling"] = older;
  root["rope_parameters"] = newer;
}

}  // namespace detent
