#include "detent/architectures/stop_ids.h"

#include "detent/architectures/json_value.h"
#include "detent/base/error.h"

namespace detent {

std::vector<int32_t> stop_ids(const nlohmann::json& config, const std::string& source) {
  const nlohmann::json* found = config.is_object() ? find_value(config, "eos_token_id") : nullptr;
  if (!found) return {};
  std::vector<int32_t> ids;
  const auto add = [&](const nlohmann::json& id) {
    if (!id.is_number_integer() || id.get<int64_t>() < INT32_MIN || id.get<int64_t>() > INT32_MAX)
      fail("{}: eos_token_id {} is neither an id nor a list of ids", source, short_dump(*found));
    ids.push_back(id.get<int32_t>());
  };
  if (found->is_array())
    for (const nlohmann::json& id : *found) add(id);
  else
    add(*found);
  return ids;
}

}  // namespace detent
