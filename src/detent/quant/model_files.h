// A Hugging Face model folder, opened and proved to be whole before any weight is read: config.json is one that detent
// handles, and the headers of the weight files list exactly the tensors it asks for, in shapes and types that fit.
#pragma once
#include <filesystem>

#include "detent/architectures/decoder_config.h"
#include "detent/io/safetensors.h"

namespace detent {

struct ModelFiles {
  DecoderConfig config;
  io::SafetensorsReader weights;
};
// Fails in one sentence that names the key, the tensor or the file.
ModelFiles open_model(const std::filesystem::path& folder);

// config.json alone.
DecoderConfig read_decoder_config(const std::filesystem::path& folder);

// A tensor that a decoder does not use although writers store it: the rotary frequencies of old Llama checkpoints, and
// a tied head's second copy (`tied`: of the config). open_model makes sure that they hold what the config says.
bool is_redundant(const std::string& name, bool tied);

}  // namespace detent
