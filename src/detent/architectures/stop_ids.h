// Which ids end a text, as a Hugging Face model folder says.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace detent {

// eos_token_id of a config.json or generation_config.json: one id, a list or none. Fails, naming `source`, on anything
// else. Where both files name ids, transformers goes by generation_config.json.
std::vector<int32_t> stop_ids(const nlohmann::json& config, const std::string& source);

}  // namespace detent
