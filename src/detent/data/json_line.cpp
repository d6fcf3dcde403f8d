#include "detent/data/json_line.h"

#include <charconv>

#include "detent/base/error.h"
#include "detent/base/json.h"

namespace detent {

using nlohmann::json;

const json& field_of(const json& object, const std::string& key, const std::string& where) {
  if (!object.is_object()) fail("{}: {} instead of a JSON object", where, object.type_name());
  const auto found = object.find(key);
  if (found == object.end()) fail("{}: no field '{}'", where, key);
  return *found;
}

std::string text_of(const json& object, const std::string& key, const std::string& where) {
  const json& value = field_of(object, key, where);
  if (!value.is_string()) fail("{}: the field '{}' is {}, expected a string", where, key, value.type_name());
  return value.get<std::string>();
}

const json& array_of(const json& object, const std::string& key, const std::string& where) {
  const json& value = field_of(object, key, where);
  if (!value.is_array()) fail("{}: the field '{}' is {}, expected an array", where, key, value.type_name());
  return value;
}

std::vector<std::string> texts_of(const json& object, const std::string& key, const std::string& where) {
  std::vector<std::string> texts;
  for (const json& value : array_of(object, key, where)) {
    if (!value.is_string()) fail("{}: {}[{}] is {}, expected a string", where, key, texts.size(), value.type_name());
    texts.push_back(value.get<std::string>());
  }
  return texts;
}

size_t index_of(const json& object, const std::string& key, size_t size, const std::string& where) {
  const json& value = field_of(object, key, where);
  size_t index = size;
  if (value.is_number_unsigned()) {
    index = value.get<size_t>();
  } else if (value.is_string()) {
    const auto& digits = value.get_ref<const std::string&>();
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (error != std::errc() || end != digits.data() + digits.size()) index = size;
  }
  if (index >= size)
    fail("{}: the field '{}' is {}, expected a number from 0 to {}", where, key, in_quotes(value.dump(-1, ' ', true)),
         size - 1);
  return index;
}

}  // namespace detent
