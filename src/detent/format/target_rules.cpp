#include "detent/format/target_rules.h"

#include <algorithm>

#include "detent/base/error.h"
#include "detent/base/options.h"

namespace detent {

const std::vector<std::unique_ptr<const TargetRules>>& target_rules() {
  static const auto table = [] {
    std::vector<std::unique_ptr<const TargetRules>> rules;
    add_gguf_rules(rules);
    add_packed_rules(rules);
    add_dense_rules(rules);
    return rules;
  }();
  return table;
}

const TargetRules& find_target_rules(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& rules : target_rules()) {
    if (rules->name() == name) return *rules;
    names.push_back(rules->name());
  }
  const auto ends_so = [&](const std::string& other) { return other.ends_with(":" + name); };  // "q4_0"
  const auto whole = std::find_if(names.begin(), names.end(), ends_so);
  const std::string near = whole != names.end() ? *whole : nearest_name(name, names);
  fail("[target] there is no target '{}'; {}", name,
       near.empty() ? fmt::format("known: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
}

std::optional<std::string> refusal_text(const TargetRules& rules, const std::string& tensor, const QuantSpec& spec,
                                        int64_t columns) {
  const auto reason = rules.refusal(spec, columns);
  if (!reason) return std::nullopt;
  const auto near = rules.nearest(spec, columns);
  return fmt::format(
      "{} cannot hold {} ({}) exactly: {}; {}", rules.name(), tensor, spec.name(), *reason,
      near ? fmt::format("the nearest accepted is: {}", near->name()) : "no other grid of this weight fits either");
}

}  // namespace detent
