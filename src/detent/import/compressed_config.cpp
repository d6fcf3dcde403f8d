#include "detent/import/compressed_config.h"

#include <algorithm>

#include "detent/architectures/json_value.h"
#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/format/packed_fp4.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"

namespace detent {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char *kMethod = "compressed-tensors", *kPacked = "pack-quantized", *kPackedFp4 = "mxfp4-pack-quantized",
                     *kSeveral = "mixed-precision";

// A value of a map, or null.
json value_of(const json& map, const char* key) { return map.is_object() ? map.value(key, json()) : json(); }

[[noreturn]] void refuse(const std::string& source, const std::string& key, const json& value, const char* wanted) {
  fail("{}: quantization_config: {} = {} is not handled; {}", source, key, short_dump(value), wanted);
}

int read_bits(const json& args, const std::string& source) {
  const json bits = value_of(args, "num_bits");
  if (!bits.is_number_integer() || bits < 1 || bits > 8) refuse(source, "num_bits", bits, "integers have 1 to 8 bits");
  if (value_of(args, "type") != "int") refuse(source, "type", value_of(args, "type"), "detent reads int");
  return bits.get<int>();
}

Granularity read_granularity(const json& args, const std::string& source) {
  const json strategy = value_of(args, "strategy"), size = value_of(args, "group_size");
  if (strategy == "tensor") return {GranularityKind::kTensor, 0};
  if (strategy == "channel") return {GranularityKind::kRow, 0};
  if (strategy != "group") refuse(source, "strategy", strategy, "detent reads tensor, channel and group");
  if (!size.is_number_integer() || size < 1 || size > (1 << 30)) refuse(source, "group_size", size, "give a number");
  return {GranularityKind::kGroup, size.get<int64_t>()};
}

std::optional<QuantSpec> read_input(const json& args, const std::string& source) {
  if (args.is_null()) return std::nullopt;
  const int bits = read_bits(args, source);
  const bool token = value_of(args, "strategy") == "token" && value_of(args, "dynamic") == true;
  if (!token || value_of(args, "symmetric") != true || bits < 2)
    refuse(source, "input_activations", args, "detent reads symmetric, dynamic ones with a scale a token");
  return QuantSpec{make_grid("int", bits), {GranularityKind::kRow, 0}, ScaleRule::kAbsmaxFull, ScaleFormat::kFp32};
}

std::vector<std::string> read_names(const json& list, const std::string& source, const char* key) {
  const bool right =
      list.is_null() ||
      (list.is_array() && std::all_of(list.begin(), list.end(), [](const json& name) { return name.is_string(); }));
  if (!right) refuse(source, key, list, "it is a list of names");
  return list.is_null() ? std::vector<std::string>() : list.get<std::vector<std::string>>();
}

// The weights of mxfp4-pack-quantized, which are of one kind.
PackedScheme read_fp4(const json& args, const std::string& source) {
  const bool right = value_of(args, "num_bits") == 4 && value_of(args, "type") == "float" &&
                     value_of(args, "strategy") == "group" && value_of(args, "group_size") == kMxGroup &&
                     value_of(args, "symmetric") != false;
  if (!right) refuse(source, "weights", args, "mxfp4 has symmetric 4-bit floats in groups of 32");
  return {PackedKind::kFp4, 4, true, {GranularityKind::kGroup, kMxGroup}, std::nullopt};
}

PackedScheme read_ints(const json& args, const std::string& source) {
  const json symmetric = value_of(args, "symmetric");
  if (!symmetric.is_null() && !symmetric.is_boolean()) refuse(source, "symmetric", symmetric, "it is true or false");
  return {PackedKind::kInts, read_bits(args, source), symmetric.is_null() || symmetric == true,
          read_granularity(args, source), std::nullopt};
}

CompressedConfig::Group read_group(const json& group, const json& format, const std::string& source) {
  const json own = value_of(group, "format"), used = own.is_null() ? format : own;
  if (used != kPacked && used != "int-quantized" && used != kPackedFp4)
    refuse(source, "format", used, "detent reads pack-quantized, int-quantized and mxfp4-pack-quantized");
  const json weights = value_of(group, "weights"), order = value_of(weights, "actorder");
  if (!value_of(group, "output_activations").is_null())
    refuse(source, "output_activations", group["output_activations"], "detent quantizes no outputs");
  if (!order.is_null() && order != false) refuse(source, "actorder", order, "columns in another order are not handled");
  PackedScheme scheme = used == kPackedFp4 ? read_fp4(weights, source) : read_ints(weights, source);
  scheme.input = read_input(value_of(group, "input_activations"), source);
  return {scheme, read_names(value_of(group, "targets"), source, "targets")};
}

// Empty or null: what stands for "none".
void check_none(const json& config, const char* key, const std::string& source) {
  const json value = value_of(config, key);
  const bool dense = value.is_object() && value.value("format", json()) == "dense";
  if (!value.is_null() && !dense && !(value.is_object() && value.empty()))
    refuse(source, key, value, "name a model without it");
}

json integers(int bits) {
  return {{"num_bits", bits},
          {"type", "int"},
          {"symmetric", true},
          {"group_size", nullptr},
          {"block_structure", nullptr},
          {"dynamic", false},
          {"actorder", nullptr},
          {"scale_dtype", nullptr},
          {"zp_dtype", nullptr},
          {"observer", nullptr},
          {"observer_kwargs", json::object()}};
}

json weights_json(const PackedScheme& scheme) {
  json args = integers(scheme.bits);
  args["symmetric"] = scheme.symmetric;
  if (scheme.kind == PackedKind::kFp4) {
    args["type"] = "float";
    args["scale_dtype"] = "torch.uint8";
  }
  const Granularity& granularity = scheme.granularity;
  if (granularity.kind == GranularityKind::kGroup) args["group_size"] = granularity.size;
  args["strategy"] = granularity.kind == GranularityKind::kGroup ? "group"
                     : granularity.kind == GranularityKind::kRow ? "channel"
                                                                 : "tensor";
  return args;
}

json input_json(const std::optional<QuantSpec>& input) {
  if (!input) return nullptr;
  json args = integers(input->grid.bits);
  args["strategy"] = "token";
  args["dynamic"] = true;
  return args;
}

}  // namespace

const PackedScheme& CompressedConfig::scheme_of(const std::string& module, const std::string& source) const {
  const Group* open = nullptr;
  bool several = false;
  for (const Group& group : groups)
    for (const std::string& target : group.targets) {
      if (target == module) return group.scheme;
      if (target != "Linear" && !target.starts_with("re:")) continue;
      several |= open && open->scheme != group.scheme;
      open = &group;
    }
  if (!open) fail("{}: quantization_config says nothing about {}, which is packed", source, module);
  if (several)
    fail(
        "{}: quantization_config has several groups for {}; list its modules "
        "by name",
        source, module);
  return open->scheme;
}

json to_json(const CompressedConfig& config) {
  json groups = json::object(), format;
  for (size_t i = 0; i < config.groups.size(); ++i) {
    const PackedScheme& scheme = config.groups[i].scheme;
    const char* own = scheme.kind == PackedKind::kFp4 ? kPackedFp4 : kPacked;
    format = format.is_null() || format == own ? own : kSeveral;
    groups[fmt::format("group_{}", i)] = {{"targets", config.groups[i].targets},
                                          {"format", own},
                                          {"weights", weights_json(scheme)},
                                          {"input_activations", input_json(scheme.input)},
                                          {"output_activations", nullptr}};
  }
  return {{"quant_method", kMethod},
          {"format", format},
          {"quantization_status", "compressed"},
          {"global_compression_ratio", nullptr},
          {"kv_cache_scheme", nullptr},
          {"ignore", config.ignore},
          {"config_groups", groups}};
}

CompressedConfig compressed_config_from_json(const json& value, const std::string& source) {
  if (value_of(value, "quant_method") != kMethod)
    refuse(source, "quant_method", value_of(value, "quant_method"), "detent reads compressed-tensors");
  for (const char* key : {"kv_cache_scheme", "sparsity_config", "transform_config"}) check_none(value, key, source);
  const json groups = value_of(value, "config_groups");
  if (!groups.is_object() || groups.empty()) refuse(source, "config_groups", groups, "it names at least one group");
  CompressedConfig config;
  for (const auto& [name, group] : groups.items())
    config.groups.push_back(read_group(group, value_of(value, "format"), source + ": " + in_quotes(name)));
  config.ignore = read_names(value_of(value, "ignore"), source, "ignore");
  return config;
}

bool is_compressed(const fs::path& folder) {
  const fs::path path = folder / "config.json";
  if (!fs::is_directory(folder) || !fs::is_regular_file(path)) return false;
  if (fs::file_size(path) > (size_t{1} << 20)) return false;  // who reads it refuses it
  const json config = parse_json(io::as_text(io::MappedFile(path).bytes()), path.string());
  return value_of(value_of(config, "quantization_config"), "quant_method") == kMethod;
}

}  // namespace detent
