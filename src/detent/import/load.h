// A model from anything that detent reads.
#pragma once
#include <filesystem>

#include "detent/architectures/decoder_config.h"
#include "detent/quant/shipped.h"

namespace detent {

// A run directory (its newest checkpoint), a checkpoint, a Hugging Face folder, a GGUF file or a checkpoint of
// llama2.c. Of a file: its values, names, row order and config, as if it were the Hugging Face folder it came from;
// `folder` is the file, the record is empty. Fails on a file of another architecture or with tensors it cannot decode.
ShippedModel load_model_any(const std::filesystem::path& path, Codes codes = Codes::kKept);

// Its config alone; path as resolve_model gives it.
DecoderConfig read_model_config(const std::filesystem::path& path);

}  // namespace detent
