// A model from anything that detent trains or writes.
#pragma once
#include <filesystem>

#include "detent/quant/shipped.h"

namespace detent {

// The values, names, row order and config of a GGUF file, as if it were the Hugging Face folder it came from. `folder`
// is the file; the record is empty. Fails on a file of another architecture or with tensors it cannot decode.
ShippedModel load_gguf(const std::filesystem::path& path);

// A run directory (its newest checkpoint), a checkpoint, a Hugging Face folder or a GGUF file.
ShippedModel load_model_any(const std::filesystem::path& path);

}  // namespace detent
