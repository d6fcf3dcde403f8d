// The files of a tokenizer: the one that it is read from and what Hugging Face keeps beside it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detent/data/tokenizer.h"
#include "detent/io/mapped_file.h"

namespace detent {

// Names of the files in a model folder that belong to its tokenizer.
std::span<const char* const> tokenizer_file_names();

class TokenizerFolder {
 public:
  // main is a tokenizer.json or tokenizer.model under any name. Fails naming a file beside it that is malformed.
  explicit TokenizerFolder(const std::filesystem::path& main);
  // The main file held in memory, which stays alive, with nothing beside it.
  explicit TokenizerFolder(std::span<const std::byte> main) : main_(main) {}

  std::span<const std::byte> main() const { return main_; }
  // The token under key ("eos_token", "pad_token", ...) in tokenizer_config.json, else special_tokens_map.json, else by
  // its id in generation_config.json or config.json. For eos_token at last the names that models end texts with.
  std::optional<int32_t> special_token(const std::string& key, const Tokenizer& tokenizer) const;
  // A flag of tokenizer_config.json, e.g. add_bos_token.
  std::optional<bool> flag(const std::string& key) const;
  // SHA-256 of the main file.
  std::string fingerprint() const;
  // The files as they were when this was made, the main one under its usual name; and a tokenizer_config.json where
  // there is none, since transformers would take the tokenizer for the model's default one.
  void copy_to(const std::filesystem::path& folder, const Tokenizer& tokenizer) const;

 private:
  nlohmann::json read(const std::filesystem::path& folder, const char* name) const;

  std::vector<std::pair<std::string, io::MappedFile>> files_;  // by usual name, the main one first
  std::span<const std::byte> main_;
  nlohmann::json config_, special_tokens_, generation_, model_;  // null where missing
};

}  // namespace detent
