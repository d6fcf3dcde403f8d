// gguf:q4_0 and its sisters: one GGUF file that llama.cpp loads, the trained codes packed as they are.
#pragma once
#include <memory>
#include <string>

#include "detent/deploy/target.h"

namespace detent {

// Weights in blocks of this type; embeddings, head and skipped layers as the checkpoint's `unquantized` says.
std::unique_ptr<const ExportTarget> gguf_block_target(const std::string& block);
// Every weight as F32 or F16.
std::unique_ptr<const ExportTarget> gguf_float_target(const std::string& type);

}  // namespace detent
