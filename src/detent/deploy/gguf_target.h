// gguf:q4_0 and its sisters: one GGUF file that llama.cpp loads, the trained codes packed as they are. Embeddings, head
// and skipped layers are stored as the checkpoint's `unquantized` says; gguf:f32 and gguf:f16 store every weight so.
#pragma once
#include <memory>

#include "detent/deploy/target.h"

namespace detent {

std::unique_ptr<const ExportTarget> gguf_target(const TargetRules& rules);

}  // namespace detent
