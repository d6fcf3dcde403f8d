#include "detent/deploy/load.h"

#include <ATen/ATen.h>

#include "detent/base/error.h"
#include "detent/deploy/gguf_llama.h"
#include "detent/deploy/model_parts.h"
#include "detent/deploy/model_path.h"
#include "detent/deploy/weight_file.h"
#include "detent/quant/model_files.h"

namespace detent {

namespace fs = std::filesystem;

ShippedModel load_gguf(const fs::path& path) {
  if (!is_gguf(path)) fail("{} is not a GGUF file", path.string());
  const auto file = open_weight_file(path);
  ShippedModel model;
  model.folder = path.string();
  model.config = file->config().value();
  for (size_t i = 0; i < file->tensors().size(); ++i) {
    const std::string& name = file->tensors()[i].name;
    model.tensors[name].value = file->decode(i);
    if (!at::isfinite(model.tensors[name].value).all().item<bool>())
      fail("{}: tensor '{}' holds values that are not finite", path.string(), name);
  }
  check_names(model, llama_tensor_names(decoder_config_from_json(model.config, path.string())));
  return model;
}

ShippedModel load_model_any(const fs::path& path) {
  const fs::path model = resolve_model(path);
  if (is_gguf(model)) return load_gguf(model);
  open_model(model);  // finds what is wrong before any weight is read
  return load_shipped(model.string());
}

}  // namespace detent
