// Rotary embedding in config.json, in both spellings.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "detent/architectures/decoder_config.h"

namespace detent {

// The older spelling is rope_theta beside rope_scaling ({"type" or "rope_type": ..., "factor": ...}), the newer one
// rope_parameters with rope_theta inside. Where a file has both they must agree. A type other than default, linear,
// dynamic and llama3 is refused by name, and so is a parameter that its type does not have.
void read_rope(const nlohmann::json& json, DecoderConfig& config, const std::string& source);
void write_rope(const DecoderConfig& config, nlohmann::json& json);

}  // namespace detent
