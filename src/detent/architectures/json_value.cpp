#include "detent/architectures/json_value.h"

#include <cmath>

#include "detent/base/error.h"

namespace detent {

using nlohmann::json;

namespace {
[[noreturn]] void fail_type(const std::string& where, const char* key, const json& value) {
  fail("{}: '{}' has the wrong type: {}", where, key, short_dump(value));
}
}  // namespace

const json* find_value(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string short_dump(const json& value) {
  if (value.is_structured() && value.size() > 8) return value.is_object() ? "{...}" : "[...]";
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 80) + "...";
  return text;
}

void take_number(const json& object, const char* key, double& value, const std::string& where) {
  const json* found = find_value(object, key);
  if (!found) return;
  if (!found->is_number() || !std::isfinite(found->get<double>())) fail_type(where, key, *found);
  value = found->get<double>();
}

void take_size(const json& object, const char* key, int64_t& value, const std::string& where) {
  const json* found = find_value(object, key);
  if (!found) return;
  if (!found->is_number_integer()) fail_type(where, key, *found);
  // Unsigned numbers beyond int64 wrap into the negative.
  const auto given = found->get<int64_t>();
  if (given < 0 || given > (int64_t{1} << 31)) fail("{}: '{}' = {} is out of range", where, key, short_dump(*found));
  value = given;
}

void take_flag(const json& object, const char* key, bool& value, const std::string& where) {
  const json* found = find_value(object, key);
  if (!found) return;
  if (!found->is_boolean()) fail_type(where, key, *found);
  value = found->get<bool>();
}

}  // namespace detent
