#include "detent/base/tensor_name.h"

#include <fnmatch.h>

namespace detent {

bool glob_matches(const std::string& pattern, const std::string& name) {
  const std::string stem = name.ends_with(".weight") ? name.substr(0, name.size() - 7) : name;
  return fnmatch(pattern.c_str(), name.c_str(), 0) == 0 || fnmatch(pattern.c_str(), stem.c_str(), 0) == 0;
}

bool names_tensor(const std::string& entry, const std::string& name) {
  if (entry.find_first_of("*?[") != entry.npos) return glob_matches(entry, name);
  return !entry.empty() && name.find(entry) != name.npos;
}

}  // namespace detent
