// What a MODEL argument of the command line points at.
#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "detent/data/tokenizer.h"

namespace detent {

// A regular file that begins as GGUF files do.
bool is_gguf(const std::filesystem::path& path);
// A regular file that can be a checkpoint of llama2.c: by its magic number or, in version 0, by its size.
bool is_llama2c(const std::filesystem::path& path);
// One of the two: a file that is a whole model.
bool is_model_file(const std::filesystem::path& path);
// The model folder or model file that path stands for: a run directory gives its newest checkpoint. Fails, naming path,
// when there is no model.
std::filesystem::path resolve_model(const std::filesystem::path& path);

// Of a model folder or model file, as resolve_model gives it.
bool has_tokenizer(const std::filesystem::path& model);
std::unique_ptr<Tokenizer> load_model_tokenizer(const std::filesystem::path& model);
// What data.tokenizer names: "bytes", a tokenizer file, or a model of any kind with its tokenizer.
std::unique_ptr<Tokenizer> open_tokenizer(const std::string& name_or_path);
// Puts the model's tokenizer files (none if it has none) and generation settings into an existing folder.
void copy_tokenizer(const std::filesystem::path& model, const std::filesystem::path& folder);

}  // namespace detent
