// Fields of a line of JSON, by the rules of the data files: what is missing or of another type is named with its line.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace detent {

// Lines that are read as a tree; the tree takes several times as much memory.
inline constexpr uint64_t kMaxJsonLine = uint64_t{16} << 20;

// The value of a key of an object. `where` begins every message.
const nlohmann::json& field_of(const nlohmann::json& object, const std::string& key, const std::string& where);
std::string text_of(const nlohmann::json& object, const std::string& key, const std::string& where);
const nlohmann::json& array_of(const nlohmann::json& object, const std::string& key, const std::string& where);
// An array of strings.
std::vector<std::string> texts_of(const nlohmann::json& object, const std::string& key, const std::string& where);
// A whole number from 0 to size - 1, written as one or as its digits.
size_t index_of(const nlohmann::json& object, const std::string& key, size_t size, const std::string& where);

}  // namespace detent
