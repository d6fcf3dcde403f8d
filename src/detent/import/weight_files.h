// The formats that open_weight_file tells apart, one file each.
#pragma once
#include "detent/import/weight_file.h"

namespace detent {

std::unique_ptr<WeightFile> open_gguf_weights(const std::filesystem::path& path);
std::unique_ptr<WeightFile> open_llama2c_weights(const std::filesystem::path& path);
std::unique_ptr<WeightFile> open_compressed_weights(const std::filesystem::path& folder);  // is_compressed says so
std::unique_ptr<WeightFile> open_safetensors_weights(const std::filesystem::path& path);

}  // namespace detent
