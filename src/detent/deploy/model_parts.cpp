#include "detent/deploy/model_parts.h"

#include <algorithm>
#include <filesystem>

#include "detent/base/error.h"

namespace detent {

void check_names(const ShippedModel& model, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (!model.tensors.contains(name)) fail("[export] the model has no tensor {}, which its config asks for", name);
  for (const auto& [name, tensor] : model.tensors)
    if (std::find(names.begin(), names.end(), name) == names.end())
      fail("[export] tensor {} has no place in a model of this config", name);
}

std::string display_name(const std::string& folder) {
  if (folder.empty()) return "model";  // made in memory
  std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  if (path.parent_path().filename() == "checkpoints") path = path.parent_path().parent_path();
  return path.filename().string();
}

}  // namespace detent
