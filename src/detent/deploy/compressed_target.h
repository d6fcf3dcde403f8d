// compressed-tensors: a Hugging Face folder whose weights are packed integers, as vLLM and transformers load it.
#pragma once
#include <memory>

#include "detent/deploy/target.h"

namespace detent {

std::unique_ptr<const ExportTarget> compressed_target(const TargetRules& rules);

}  // namespace detent
