// How users name tensors: quant.skip, quant.layers and `export --skip` alike.
#pragma once
#include <string>

namespace detent {

// "*.down_proj" matches "model.layers.0.mlp.down_proj.weight" and the same without its ending.
bool glob_matches(const std::string& pattern, const std::string& name);
// A pattern where it has '*', '?' or '[', else a part of the name; an empty one matches nothing.
bool names_tensor(const std::string& entry, const std::string& name);

}  // namespace detent
