// safetensors:dequantized: a Hugging Face folder with plain float32 weights, which any program opens.
#pragma once
#include <memory>

#include "detent/deploy/target.h"

namespace detent {

std::unique_ptr<const ExportTarget> dequantized_target(const TargetRules& rules);

}  // namespace detent
