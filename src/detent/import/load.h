// A model from anything that detent reads.
#pragma once
#include <filesystem>

#include "detent/architectures/decoder_config.h"
#include "detent/quant/shipped.h"

namespace detent {

// Whether a model (as resolve_model gives it) is one file or folder of packed values, without latent weights: GGUF, a
// checkpoint of llama2.c, or compressed-tensors.
bool is_packed_model(const std::filesystem::path& model);
// Its values, names, row order and config, as if it were the Hugging Face folder it came from. `folder` is the path;
// the record knows no grids, only the inputs that the file says are quantized and what table and head are stored as.
// Fails on a file of another architecture or with tensors that cannot be decoded.
ShippedModel load_packed(const std::filesystem::path& path);
// The same as the program that the format belongs to runs it: llama.cpp quantizes inputs by the type of the weight.
ShippedModel load_as_run(const std::filesystem::path& path);

// A run directory (its newest checkpoint), a checkpoint, a Hugging Face folder, packed or not, a GGUF file or a
// checkpoint of llama2.c.
ShippedModel load_model_any(const std::filesystem::path& path, Codes codes = Codes::kKept);
// The same with no tensor read yet: for who takes one after the other.
ShippedModel open_model_any(const std::filesystem::path& path, Codes codes = Codes::kKept);

// The config alone; path as resolve_model gives it.
DecoderConfig read_model_config(const std::filesystem::path& path);

}  // namespace detent
