// What targets that write a Hugging Face folder have in common.
#pragma once
#include <filesystem>
#include <functional>
#include <vector>

#include "detent/deploy/target.h"
#include "detent/io/dtype.h"
#include "detent/io/safetensors.h"

namespace detent {

// A folder written by transformers holds a tied head once, under the embedding's name.
bool is_tied_head(const std::string& name, const ShippedModel& model);

// What an unquantized tensor takes in a file without blocks: the 16 bits it is stored as, where they hold its values,
// else F32.
io::Dtype stored_dtype(const ShippedModel& model, const std::string& name, Storage storage);
// The tensor's values in that type, part by part: a table may be most of a model.
void write_dense(const ShippedModel& model, const std::string& name, io::Dtype dtype, io::SafetensorsWriter& writer);
// float32 values that the type (F32, F16, BF16) holds, as its bytes.
std::vector<std::byte> float_bytes(const at::Tensor& values, io::Dtype dtype);

// Beside the weights, which `write` puts into the folder, adding to config.json what it has to say: config.json and the
// tokenizer. The folder appears complete or not at all.
using FolderWriter =
    std::function<void(const std::filesystem::path& folder, nlohmann::json& config, ExportReport& report)>;
ExportReport write_folder(const ShippedModel& model, const std::string& path, const FolderWriter& write);

}  // namespace detent
