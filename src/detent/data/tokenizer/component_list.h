// The Sequence that every kind of component can be.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "detent/base/error.h"
#include "detent/data/tokenizer/json_fields.h"

namespace detent {

inline constexpr size_t kMostComponents = 64;

// Calls build(type, fields) for value, or for each member of a Sequence whose list is under `list`, in order; nothing
// for null. build says whether it knows the type; what it leaves unread is refused.
inline void for_each_component(const nlohmann::json& value, const std::string& where, const char* list, size_t& count,
                               const std::function<bool(const std::string& type, JsonFields& fields)>& build) {
  if (value.is_null()) return;
  JsonFields fields(value, where);
  const std::string type = fields.string("type");
  if (type == "Sequence") {
    const nlohmann::json& members = fields.at(list);
    if (!members.is_array()) fail("{}: {} is {}, expected a list", where, list, members.type_name());
    for (size_t i = 0; i < members.size(); ++i)
      for_each_component(members[i], fmt::format("{}[{}]", where, i), list, count, build);
  } else {
    if (++count > kMostComponents) fail("{}: more than {} components", where, kMostComponents);
    if (!build(type, fields)) fail("{}: the type '{}' is not supported", where, type.substr(0, 80));
  }
  fields.finish();
}

}  // namespace detent
