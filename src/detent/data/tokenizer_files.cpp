#include "detent/data/tokenizer_files.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "detent/io/atomic_file.h"

namespace detent {

namespace {

using Json = nlohmann::ordered_json;

Json special_token(const Tokenizer& tokenizer) {
  return {{"id", tokenizer.end_of_text()},
          {"content", kEndOfText},
          {"single_word", false},
          {"lstrip", false},
          {"rstrip", false},
          {"normalized", false},
          {"special", true}};
}

Json byte_level() {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
}

Json vocabulary(const Tokenizer& tokenizer) {
  Json ids = Json::object();
  int32_t id = 0;
  for (const std::string& token : tokenizer.vocabulary().tokens) ids[token] = id++;
  return ids;
}

Json bpe_model(const Tokenizer& tokenizer) {
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", vocabulary(tokenizer)},
          {"merges", Json::array()}};
}

Json tokenizer_json(const Tokenizer& tokenizer) {
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", Json::array({special_token(tokenizer)})},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level()},
          {"post_processor", nullptr},
          {"decoder", byte_level()},
          {"model", bpe_model(tokenizer)}};
}

Json tokenizer_config(const Tokenizer& tokenizer) {
  Json token = special_token(tokenizer);
  token.erase("id");
  return {{"added_tokens_decoder", {{std::to_string(tokenizer.end_of_text()), token}}},
          {"bos_token", nullptr},
          {"eos_token", kEndOfText},
          {"unk_token", nullptr},
          {"clean_up_tokenization_spaces", false},
          {"tokenizer_class", "PreTrainedTokenizerFast"}};
}

void write_json(const std::filesystem::path& path, const Json& json) {
  io::write_file_atomically(path, json.dump(2) + "\n");
}

// transformers writes a template without special tokens where there was none.
bool adds_nothing(const nlohmann::json& part) {
  return part.is_null() || (part.at("type") == "TemplateProcessing" && part.at("special_tokens").empty());
}

bool is_plain_byte_level(const nlohmann::json& part) {
  return part.value("type", "") == "ByteLevel" && !part.value("add_prefix_space", true) &&
         !part.value("use_regex", true);
}

}  // namespace

void save_byte_level(const Tokenizer& tokenizer, const std::string& folder) {
  const std::filesystem::path path = folder;
  write_json(path / "tokenizer.json", tokenizer_json(tokenizer));
  write_json(path / "tokenizer_config.json", tokenizer_config(tokenizer));
  write_json(path / "special_tokens_map.json", {{"eos_token", kEndOfText}});
}

bool is_byte_level(const TokenizerJson& file, const Tokenizer& tokenizer) try {
  const TokenTable& table = file.bpe.vocabulary;
  const std::vector<std::string> spellings = tokenizer.vocabulary().tokens;
  if (table.count() != spellings.size() || !file.bpe.merges.empty() || file.added_tokens.size() != 1) return false;
  for (size_t id = 0; id < spellings.size(); ++id)
    if (table.find(spellings[id]) != static_cast<int32_t>(id)) return false;
  return file.normalizer.is_null() && adds_nothing(file.post_processor) && is_plain_byte_level(file.pre_tokenizer) &&
         file.decoder.at("type") == "ByteLevel" && file.added_tokens[0].content == kEndOfText;
} catch (const nlohmann::json::exception&) {
  return false;
}

}  // namespace detent
