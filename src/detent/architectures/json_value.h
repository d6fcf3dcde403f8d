// Typed values out of a JSON object, with messages that name the key.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace detent {

// The value of key; null when the key is absent or its value is.
const nlohmann::json* find_value(const nlohmann::json& object, const char* key);
// value as JSON text, cut after some bytes: for messages.
std::string short_dump(const nlohmann::json& value);

// Leave the value as it is where the key is absent or null. Fail on another type; sizes are whole numbers from 0 on.
void take_number(const nlohmann::json& object, const char* key, double& value, const std::string& where);
void take_size(const nlohmann::json& object, const char* key, int64_t& value, const std::string& where);
void take_flag(const nlohmann::json& object, const char* key, bool& value, const std::string& where);

}  // namespace detent
