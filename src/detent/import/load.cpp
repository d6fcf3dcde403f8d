#include "detent/import/load.h"

#include "detent/base/error.h"
#include "detent/import/model_path.h"
#include "detent/import/weight_file.h"
#include "detent/quant/checkpoint_folder.h"
#include "detent/quant/model_files.h"
#include "detent/quant/tensor_file.h"

namespace detent {

namespace fs = std::filesystem;

ShippedModel load_gguf(const fs::path& path) {
  if (!is_gguf(path)) fail("{} is not a GGUF file", path.string());
  const auto file = open_weight_file(path);
  ShippedModel model;
  model.folder = path.string();
  model.config = file->config().value();
  const DecoderConfig config = decoder_config_from_json(model.config, path.string());
  for (const auto& [name, index] : find_parameters(*file, config, path.string())) {
    model.tensors[name].value = file->decode(index);
    check_finite(model.tensors[name].value, name, path.string());
  }
  return model;
}

ShippedModel load_model_any(const fs::path& path) {
  const fs::path model = resolve_model(path);
  if (is_gguf(model)) return load_gguf(model);
  check_files(model.string());
  open_model(model);  // finds what is wrong before any weight is read
  return load_shipped(model.string());
}

}  // namespace detent
