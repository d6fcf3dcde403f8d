#include "detent/data/tokenizer/json_fields.h"

#include "detent/base/error.h"
#include "detent/base/json.h"

namespace detent {

using nlohmann::json;

JsonFields::JsonFields(const json& value, std::string where) : value_(value), where_(std::move(where)) {
  if (!value.is_object()) fail("{} is {}, expected an object", where_, value.type_name());
}

const json* JsonFields::find(const std::string& key) {
  known_.insert(key);
  const auto found = value_.find(key);
  return found == value_.end() ? nullptr : &*found;
}

const json& JsonFields::at(const std::string& key) {
  if (const json* found = find(key)) return *found;
  fail("{} has no {}", where_, in_quotes(key));
}

std::string JsonFields::string(const std::string& key) {
  const json& value = at(key);
  if (!value.is_string()) fail("{}: {} is {}, expected a string", where_, in_quotes(key), value.type_name());
  return value.get<std::string>();
}

std::string JsonFields::string(const std::string& key, const std::string& missing) {
  return find(key) ? string(key) : missing;
}

std::optional<std::string> JsonFields::optional_string(const std::string& key) {
  const json* value = find(key);
  if (!value || value->is_null()) return std::nullopt;
  return string(key);
}

bool JsonFields::flag(const std::string& key) {
  const json& value = at(key);
  if (!value.is_boolean()) fail("{}: {} is {}, expected true or false", where_, in_quotes(key), value.type_name());
  return value.get<bool>();
}

bool JsonFields::flag(const std::string& key, bool missing) {
  const json* value = find(key);
  return value && !value->is_null() ? flag(key) : missing;
}

int64_t JsonFields::number(const std::string& key, int64_t low, int64_t high) {
  const json& value = at(key);
  if (!value.is_number_integer())
    fail("{}: {} is {}, expected a whole number", where_, in_quotes(key), value.type_name());
  const bool large = value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX;
  if (large || value.get<int64_t>() < low || value.get<int64_t>() > high)
    fail("{}: {} is {}, expected {} to {}", where_, in_quotes(key), value.dump(), low, high);
  return value.get<int64_t>();
}

void JsonFields::finish() const {
  for (const auto& [key, value] : value_.items())
    if (!known_.contains(key)) fail("{} has {}, which is not supported", where_, in_quotes(key));
}

}  // namespace detent
