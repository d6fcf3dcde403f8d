// What stands for keys of a `quant` block: presets, and the file that a run will be shipped as.
#pragma once
#include <vector>

#include "detent/base/node.h"

namespace detent {

struct Preset {
  const char* name;
  const char* text;  // YAML
  const char* source;
};
const std::vector<Preset>& quant_presets();

// Puts the preset named in the `quant` map, then what its target prefers (if it names them), under the keys that are
// given, so that those win.
void expand_quant(Node& quant);

}  // namespace detent
