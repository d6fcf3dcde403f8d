// Keys of config.json that no family reads: those that change nothing here, and those that would.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace detent {

// Keys that to_json writes by itself, whatever the file said.
bool is_written_anew(const std::string& key);
// Fails, naming key and source, unless the key is known to change nothing with this value.
void check_harmless(const std::string& key, const nlohmann::json& value, const std::string& source);

}  // namespace detent
