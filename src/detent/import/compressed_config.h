// config.json's `quantization_config` as compressed-tensors writes it: which modules are packed, and how. Keys:
// compressed_tensors/quantization/{quant_config,quant_args,quant_scheme}.py (vllm-project/compressed-tensors).
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "detent/format/packed_ints.h"
#include "detent/format/spec.h"

namespace detent {

struct PackedScheme {
  PackedKind kind = PackedKind::kInts;
  int bits = 4;
  bool symmetric = true;           // no zero points
  Granularity granularity;         // of the weights' scales
  std::optional<QuantSpec> input;  // integers, one scale a token, found as it
                                   // comes; nothing: left as it is
  bool operator==(const PackedScheme&) const = default;
};

struct CompressedConfig {
  struct Group {
    PackedScheme scheme;
    std::vector<std::string> targets;  // "Linear", a module's name, or "re:" and a pattern
  };
  std::vector<Group> groups;
  std::vector<std::string> ignore;  // modules of the targeted classes that are not packed

  // The scheme of a packed module: of the group that names it, else the only one that may mean it. Fails when the
  // config leaves that open.
  const PackedScheme& scheme_of(const std::string& module, const std::string& source) const;
};

nlohmann::json to_json(const CompressedConfig& config);
// Fails, naming source and key, on what detent would not read as the library does.
CompressedConfig compressed_config_from_json(const nlohmann::json& json, const std::string& source);

// Whether a folder's config.json says that compressed-tensors packed it.
bool is_compressed(const std::filesystem::path& folder);

}  // namespace detent
