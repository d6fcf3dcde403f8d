#include "detent/import/weight_file.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "detent/architectures/parameters.h"
#include "detent/base/error.h"
#include "detent/import/compressed_config.h"
#include "detent/import/model_path.h"
#include "detent/import/weight_files.h"
#include "detent/io/ggml_types.h"
#include "detent/quant/model_files.h"

namespace detent {

namespace fs = std::filesystem;

at::Tensor WeightFile::decode_rows(size_t index, int64_t first, int64_t count) const {
  return decode(index).narrow(0, first, count);
}

std::unique_ptr<WeightFile> open_weight_file(const fs::path& path) {
  if (!fs::exists(path)) fail("there is no file or folder {}: check the path", path.string());
  if (is_gguf(path)) return open_gguf_weights(path);
  if (is_llama2c(path)) return open_llama2c_weights(path);
  if (is_compressed(path)) return open_compressed_weights(path);
  return open_safetensors_weights(path);
}

std::optional<Storage> storage_of(const StoredTensor& tensor) {
  for (const Storage storage : {Storage::kF32, Storage::kF16, Storage::kBf16, Storage::kQ8_0})
    if (io::find_ggml_type(storage_name(storage))->name == tensor.type) return storage;
  return std::nullopt;
}

Storage unpacked_storage(const WeightFile& file) {
  std::optional<Storage> found;
  for (const StoredTensor& tensor : file.tensors()) {
    if (tensor.name != "model.embed_tokens.weight" && tensor.name != "lm_head.weight") continue;
    const auto storage = storage_of(tensor);
    if (!storage || (found && *found != *storage)) return Storage::kF32;
    found = storage;
  }
  return found.value_or(Storage::kF32);
}

std::map<std::string, Storage> plain_projections(const WeightFile& file) {
  std::map<std::string, Storage> stored;
  bool packs = false, packs_tighter = false;  // anything; anything but Q8_0
  for (const StoredTensor& tensor : file.tensors()) {
    if (!is_projection(tensor.name)) continue;
    const auto storage = storage_of(tensor);
    packs |= !storage || storage == Storage::kQ8_0;
    packs_tighter |= !storage;
    if (storage) stored[tensor.name] = *storage;
  }
  const bool is_q8_0_plain = packs_tighter && unpacked_storage(file) == Storage::kQ8_0;
  std::erase_if(stored,
                [&](const auto& entry) { return !packs || (entry.second == Storage::kQ8_0 && !is_q8_0_plain); });
  return stored;
}

std::vector<std::pair<std::string, size_t>> find_parameters(const WeightFile& file, const DecoderConfig& config,
                                                            const std::string& source) {
  std::map<std::string, size_t> left;
  for (size_t i = 0; i < file.tensors().size(); ++i) left[file.tensors()[i].name] = i;
  std::vector<std::pair<std::string, size_t>> found;
  for (const ParameterInfo& parameter : parameters(config)) {
    const auto at = left.find(parameter.name);
    if (at == left.end()) fail("{}: the file has no tensor {}, which its config asks for", source, parameter.name);
    const StoredTensor& tensor = file.tensors()[at->second];
    if (tensor.shape != parameter.shape)
      fail("{}: tensor {} is [{}], its config asks for [{}]", source, tensor.stored_name, fmt::join(tensor.shape, ", "),
           fmt::join(parameter.shape, ", "));
    if (!file.can_decode(at->second))
      fail("{}: tensor {} is of type {}, which this version does not read", source, tensor.stored_name, tensor.type);
    found.emplace_back(parameter.name, at->second);
    left.erase(at);
  }
  for (const auto& [name, index] : left)
    if (!is_redundant(name, config.tie_word_embeddings))
      fail("{}: tensor {} has no place in a model of this config", source, file.tensors()[index].stored_name);
  return found;
}

}  // namespace detent
