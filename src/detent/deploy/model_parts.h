// Small questions about a shipped model that several exports ask.
#pragma once
#include <string>
#include <vector>

#include "detent/quant/shipped.h"

namespace detent {

// Fails, naming the first tensor, unless the model has exactly these.
void check_names(const ShippedModel& model, const std::vector<std::string>& names);
// What people call the model in this folder: the run of a checkpoint, else the folder.
std::string display_name(const std::string& folder);

}  // namespace detent
