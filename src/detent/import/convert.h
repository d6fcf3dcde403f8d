// Other checkpoints into Hugging Face folders: a starting point for training, and what other programs open.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace detent {

struct ConvertReport {
  std::string path, format, dtype;  // format of the source; dtype of the folder's tensors
  int64_t tensors = 0, parameters = 0;
  uint64_t file_bytes = 0;
  std::vector<std::string> notes = {};  // what the folder does not hold, one sentence each
};
nlohmann::json to_json(const ConvertReport& report);
std::string to_text(const ConvertReport& report);

// Writes config.json, model.safetensors and tokenizer files into a new folder, complete or not at all; memory holds one
// tensor at a time. Values are exactly the file's: tensors are F16 or BF16 where that type holds every one of them,
// else F32. tokenizer names llama2.c's tokenizer.bin; empty: the file of that name beside a llama2.c checkpoint, if
// any. Fails (bad input) on a source of another kind or with missing, misshapen or non-finite tensors.
ConvertReport convert_model(const std::filesystem::path& source, const std::filesystem::path& folder,
                            const std::filesystem::path& tokenizer = {});

}  // namespace detent
