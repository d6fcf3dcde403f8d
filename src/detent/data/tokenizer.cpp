#include "detent/data/tokenizer.h"

#include <filesystem>

#include "detent/base/error.h"
#include "detent/data/tokenizer/hf_tokenizer.h"
#include "detent/data/tokenizer/sentencepiece_tokenizer.h"
#include "detent/data/tokenizer/tokenizer_folder.h"

namespace detent {

namespace fs = std::filesystem;

int32_t Tokenizer::end_of_text() const {
  if (const auto id = eos()) return *id;
  fail("the tokenizer {} names no end of text; name its eos_token in a tokenizer_config.json beside it", name());
}

namespace {

std::unique_ptr<Tokenizer> tokenizer_of_file(const fs::path& path) {
  if (path.extension() == ".json") return hf_tokenizer(TokenizerFolder(path), path.string());
  if (path.extension() == ".model") return sentencepiece_tokenizer(TokenizerFolder(path), path.string());
  fail("tokenizer {}: neither a tokenizer.json nor a tokenizer.model; such files end in .json or .model",
       path.string());
}

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const std::string& name_or_path) {
  if (name_or_path == "bytes") return byte_tokenizer();
  std::error_code ignored;
  if (fs::is_directory(name_or_path, ignored)) return load_tokenizer(name_or_path);
  if (!fs::exists(name_or_path, ignored))
    fail(
        "tokenizer '{}': no such file or folder; write bytes, or the path of a tokenizer.json, a tokenizer.model or a "
        "model folder",
        name_or_path);
  return tokenizer_of_file(name_or_path);
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& model_folder) {
  const fs::path folder = model_folder;
  for (const char* name : {"tokenizer.json", "tokenizer.model"})
    if (fs::exists(folder / name)) return tokenizer_of_file(folder / name);
  fail("{} does not exist, nor does a tokenizer.model: a model folder needs its tokenizer files",
       (folder / "tokenizer.json").string());
}

}  // namespace detent
