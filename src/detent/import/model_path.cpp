#include "detent/import/model_path.h"

#include <fstream>

#include "detent/base/error.h"
#include "detent/data/tokenizer/tokenizer_folder.h"
#include "detent/import/gguf_tokenizer.h"
#include "detent/import/llama2c_tokenizer.h"
#include "detent/io/atomic_file.h"
#include "detent/io/bytes.h"
#include "detent/io/llama2c.h"
#include "detent/io/mapped_file.h"
#include "detent/quant/checkpoint_folder.h"

namespace detent {

namespace fs = std::filesystem;

namespace {

void copy_file_of(const fs::path& model, const char* name, const fs::path& folder) {
  if (fs::exists(model / name))
    io::write_file_atomically(folder / name, io::as_text(io::MappedFile(model / name).bytes()));
}

}  // namespace

bool is_gguf(const fs::path& path) {
  char magic[4] = {};
  return fs::is_regular_file(path) && std::ifstream(path, std::ios::binary).read(magic, 4) &&
         std::string_view(magic, 4) == "GGUF";
}

bool is_llama2c(const fs::path& path) {
  return fs::is_regular_file(path) && io::looks_like_llama2c(io::MappedFile(path).bytes());
}

bool is_model_file(const fs::path& path) { return is_gguf(path) || is_llama2c(path); }

fs::path resolve_model(const fs::path& path) {
  if (!fs::exists(path)) fail("there is no model at {}: check the path", path.string());
  if (is_model_file(path)) return path;
  if (!fs::is_directory(path)) {
    if (path.extension() == ".safetensors")
      fail("{} holds weights without a config; name its folder {}", path.string(), path.parent_path().string());
    fail("{} is neither a model folder nor a GGUF file nor a whole llama2.c checkpoint", path.string());
  }
  if (fs::exists(path / "checkpoints")) {
    if (const auto newest = newest_checkpoint(path)) return *newest;
    fail("{} is a run without a finished checkpoint; let it train longer", path.string());
  }
  if (!fs::exists(path / "config.json")) fail("{} is no model folder: it has no config.json", path.string());
  return path;
}

bool has_tokenizer(const fs::path& model) {
  if (is_gguf(model)) return io::GgufReader(model).find_value("tokenizer.ggml.tokens");
  if (is_llama2c(model)) return llama2c_tokenizer_beside(model).has_value();
  return fs::exists(model / "tokenizer.json") || fs::exists(model / "tokenizer.model");
}

std::unique_ptr<Tokenizer> load_model_tokenizer(const fs::path& model) {
  if (is_gguf(model)) return tokenizer_from_gguf(io::GgufReader(model), model.string());
  if (is_llama2c(model)) return tokenizer_beside_llama2c(model);
  return load_tokenizer(model.string());
}

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& name_or_path) {
  const fs::path path = name_or_path;
  if (is_model_file(path) || fs::exists(path / "checkpoints")) return load_model_tokenizer(resolve_model(path));
  return make_tokenizer(name_or_path);
}

void copy_tokenizer(const fs::path& model, const fs::path& folder) {
  if (is_model_file(model)) {
    if (has_tokenizer(model)) load_model_tokenizer(model)->save(folder.string());
    return;
  }
  for (const char* name : tokenizer_file_names()) copy_file_of(model, name, folder);
  copy_file_of(model, "generation_config.json", folder);
}

}  // namespace detent
