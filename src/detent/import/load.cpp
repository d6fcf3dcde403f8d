#include "detent/import/load.h"

#include "detent/base/error.h"
#include "detent/import/model_path.h"
#include "detent/import/weight_file.h"
#include "detent/quant/checkpoint_folder.h"
#include "detent/quant/model_files.h"
#include "detent/quant/tensor_file.h"

namespace detent {

namespace fs = std::filesystem;

namespace {

ShippedModel load_model_file(const fs::path& path) {
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

}  // namespace

ShippedModel load_model_any(const fs::path& path, Codes codes) {
  const fs::path model = resolve_model(path);
  if (is_model_file(model)) return load_model_file(model);
  check_files(model.string());
  open_model(model);  // finds what is wrong before any weight is read
  return read_shipped(model.string(), codes);
}

DecoderConfig read_model_config(const fs::path& path) {
  if (!is_model_file(path)) return read_decoder_config(path);
  return decoder_config_from_json(open_weight_file(path)->config().value(), path.string());
}

}  // namespace detent
