#include "detent/deploy/folder_parts.h"

#include <ATen/ATen.h>

#include <cstring>

#include "detent/architectures/decoder_config.h"
#include "detent/import/model_path.h"
#include "detent/io/atomic_file.h"

namespace detent {

bool is_tied_head(const std::string& name, const ShippedModel& model) {
  return name == "lm_head.weight" && model.config.value("tie_word_embeddings", false);
}

io::Dtype stored_dtype(const at::Tensor& value, Storage storage) {
  const bool half = storage == Storage::kF16;
  if ((!half && storage != Storage::kBf16) || !at::equal(stored_value(value, storage), value)) return io::Dtype::kF32;
  return half ? io::Dtype::kF16 : io::Dtype::kBF16;
}

std::vector<std::byte> float_bytes(const at::Tensor& values, io::Dtype dtype) {
  const at::ScalarType type =
      dtype == io::Dtype::kF16 ? at::kHalf : (dtype == io::Dtype::kBF16 ? at::kBFloat16 : at::kFloat);
  const at::Tensor stored = values.contiguous().to(type);
  std::vector<std::byte> bytes(stored.nbytes());
  std::memcpy(bytes.data(), stored.const_data_ptr(), bytes.size());
  return bytes;
}

ExportReport write_folder(const ShippedModel& model, const std::string& path, const FolderWriter& write) {
  io::check_free_for_folder(path);
  nlohmann::json config = to_json(decoder_config_from_json(model.config, model.folder + ": config.json"));
  ExportReport report;
  io::AtomicDirectory folder(path);
  write(folder.staging(), config, report);
  io::write_file_atomically(folder.staging() / "config.json", config.dump(2) + "\n");
  copy_tokenizer(model.folder, folder.staging());
  folder.commit();
  return report;
}

}  // namespace detent
