#include "detent/import/load.h"

#include "detent/base/error.h"
#include "detent/import/compressed_config.h"
#include "detent/import/model_path.h"
#include "detent/import/weight_file.h"
#include "detent/quant/checkpoint_folder.h"
#include "detent/quant/model_files.h"
#include "detent/quant/tensor_file.h"

namespace detent {

namespace fs = std::filesystem;

bool is_packed_model(const fs::path& model) { return is_model_file(model) || is_compressed(model); }

namespace {

ShippedModel open_values(const fs::path& path, std::optional<QuantSpec> (WeightFile::*input_of)(size_t) const) {
  if (!is_packed_model(path))
    fail("{} is neither a GGUF file, nor a checkpoint of llama2.c, nor a folder of compressed-tensors", path.string());
  const std::shared_ptr<const WeightFile> file = open_weight_file(path);
  ShippedModel model;
  model.folder = path.string();
  model.config = file->config().value();
  model.record.unquantized = unpacked_storage(*file);
  model.plain = plain_projections(*file);
  const DecoderConfig config = decoder_config_from_json(model.config, path.string());
  std::map<std::string, size_t> places;
  for (const auto& [name, index] : find_parameters(*file, config, path.string())) {
    places[name] = index;
    model.tensors[name] = unread(file->tensors()[index].shape);
    if (const auto input = (file.get()->*input_of)(index)) model.record.layers[name].input = input;
  }
  model.read = [=](const std::string& name) -> ShippedTensor {
    const at::Tensor value = file->decode(places.at(name));
    check_finite(value, name, path.string());
    return {.value = value, .blocks = file->blocks(places.at(name))};
  };
  model.read_codes = [=](const std::string& name) { return file->codes(places.at(name)); };
  return model;
}

ShippedModel held(ShippedModel model) {
  model.hold_all();
  return model;
}

}  // namespace

ShippedModel load_packed(const fs::path& path) { return held(open_values(path, &WeightFile::input)); }

ShippedModel load_as_run(const fs::path& path) {
  const fs::path model = resolve_model(path);
  return is_packed_model(model) ? held(open_values(model, &WeightFile::runtime_input)) : load_model_any(model);
}

ShippedModel open_model_any(const fs::path& path, Codes codes) {
  const fs::path model = resolve_model(path);
  if (is_packed_model(model)) return open_values(model, &WeightFile::input);
  check_files(model.string());
  open_model(model);  // finds what is wrong before any weight is read
  return open_shipped(model.string(), codes);
}

ShippedModel load_model_any(const fs::path& path, Codes codes) { return held(open_model_any(path, codes)); }

DecoderConfig read_model_config(const fs::path& path) {
  if (!is_packed_model(path)) return read_decoder_config(path);
  return decoder_config_from_json(open_weight_file(path)->config().value(), path.string());
}

}  // namespace detent
