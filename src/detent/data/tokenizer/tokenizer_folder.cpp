#include "detent/data/tokenizer/tokenizer_folder.h"

#include <algorithm>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/io/atomic_file.h"
#include "detent/io/bytes.h"
#include "detent/io/sha256.h"

namespace detent {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kNames[] = {"tokenizer.json",    "tokenizer_config.json", "special_tokens_map.json",
                                  "added_tokens.json", "tokenizer.model",       "vocab.json",
                                  "merges.txt",        "chat_template.jinja"};
constexpr const char* kConfig = "tokenizer_config.json";

// The ends of text of GPT-2 and Qwen, Llama 3, Llama 1 and 2, Gemma, DeepSeek.
constexpr std::string_view kEnds[] = {"<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<｜end▁of▁sentence｜>"};

json read_json(const io::MappedFile& file) { return parse_json(io::as_text(file.bytes()), file.path().string()); }

// The token that a value under a key like eos_token spells: a string, or an object with its content.
std::optional<std::string> spelled(const json& object, const std::string& key) {
  const auto found = object.find(key);
  if (!object.is_object() || found == object.end()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_object() || !found->contains("content") || !(*found)["content"].is_string()) return std::nullopt;
  return (*found)["content"].get<std::string>();
}

// eos_token_id can be a list, whose first is the end of a text.
std::optional<int32_t> id_under(const json& object, const std::string& key) {
  if (!object.is_object() || !object.contains(key)) return std::nullopt;
  const json& value = object[key].is_array() && !object[key].empty() ? object[key][0] : object[key];
  if (!value.is_number_unsigned() || value.get<uint64_t>() > INT32_MAX) return std::nullopt;
  return value.get<int32_t>();
}

}  // namespace

std::span<const char* const> tokenizer_file_names() { return kNames; }

TokenizerFolder::TokenizerFolder(const fs::path& main) {
  const bool sentencepiece = main.extension() == ".model";
  files_.emplace_back(sentencepiece ? "tokenizer.model" : "tokenizer.json", io::MappedFile(main));
  main_ = files_[0].second.bytes();
  const fs::path folder = main.has_parent_path() ? main.parent_path() : fs::path(".");
  for (const char* name : kNames)
    if (name != files_[0].first && fs::is_regular_file(folder / name)) files_.emplace_back(name, folder / name);
  config_ = read(folder, kConfig);
  special_tokens_ = read(folder, "special_tokens_map.json");
  // A file of these names need not be a model's, so it is looked at only where nothing else names an end of text.
  if (spelled(config_, "eos_token") || spelled(special_tokens_, "eos_token")) return;
  generation_ = read(folder, "generation_config.json");
  model_ = read(folder, "config.json");
}

json TokenizerFolder::read(const fs::path& folder, const char* name) const {
  return fs::is_regular_file(folder / name) ? read_json(io::MappedFile(folder / name)) : json();
}

std::optional<int32_t> TokenizerFolder::special_token(const std::string& key, const Tokenizer& tokenizer) const {
  for (const json* object : {&config_, &special_tokens_})
    if (const auto token = spelled(*object, key)) return tokenizer.token_id(*token);
  for (const json* object : {&generation_, &model_})
    if (const auto id = id_under(*object, key + "_id"); id && *id < tokenizer.vocab_size()) return id;
  if (key != "eos_token") return std::nullopt;
  for (const std::string_view token : kEnds)
    if (const auto id = tokenizer.token_id(token)) return id;
  return std::nullopt;
}

std::optional<bool> TokenizerFolder::flag(const std::string& key) const {
  const auto found = config_.find(key);
  if (!config_.is_object() || found == config_.end() || !found->is_boolean()) return std::nullopt;
  return found->get<bool>();
}

std::string TokenizerFolder::fingerprint() const { return io::to_hex(io::sha256(main_)); }

void TokenizerFolder::copy_to(const fs::path& folder, const Tokenizer& tokenizer) const {
  for (const auto& [name, file] : files_) io::write_file_atomically(folder / name, io::as_text(file.bytes()));
  if (!config_.is_null()) return;
  const Vocabulary vocabulary = tokenizer.vocabulary();
  const auto spelling = [&](std::optional<int32_t> id) { return id ? json(vocabulary.tokens.at(*id)) : json(); };
  const json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                       {"bos_token", spelling(tokenizer.bos())},
                       {"eos_token", spelling(tokenizer.eos())},
                       {"clean_up_tokenization_spaces", false}};
  io::write_file_atomically(folder / kConfig, config.dump(2) + "\n");
}

}  // namespace detent
