#include "detent/deploy/folder_parts.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "detent/architectures/decoder_config.h"
#include "detent/import/model_path.h"
#include "detent/io/atomic_file.h"

namespace detent {

namespace {
void for_parts(const ShippedModel& model, const std::string& name,
               const std::function<void(const at::Tensor& value)>& body) {
  const at::Tensor& whole = model.tensors.at(name).value;
  const int64_t rows = whole.dim() > 0 ? whole.size(0) : 1, step = std::max<int64_t>(1, model.part_rows(name));
  for (int64_t first = 0; first < rows; first += step)
    body(model.rows(name, first, std::min(step, rows - first)).value);
}
}  // namespace

bool is_tied_head(const std::string& name, const ShippedModel& model) {
  return name == "lm_head.weight" && model.config.value("tie_word_embeddings", false);
}

io::Dtype stored_dtype(const ShippedModel& model, const std::string& name, Storage storage) {
  if (storage != Storage::kF16 && storage != Storage::kBf16) return io::Dtype::kF32;
  bool fits = true;
  for_parts(model, name,
            [&](const at::Tensor& value) { fits = fits && at::equal(stored_value(value, storage), value); });
  if (!fits) return io::Dtype::kF32;
  return storage == Storage::kF16 ? io::Dtype::kF16 : io::Dtype::kBF16;
}

void write_dense(const ShippedModel& model, const std::string& name, io::Dtype dtype, io::SafetensorsWriter& writer) {
  for_parts(model, name, [&](const at::Tensor& value) { writer.write_part(name, float_bytes(value, dtype)); });
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
