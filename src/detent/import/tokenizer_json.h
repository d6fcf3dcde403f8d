// A vocabulary as Hugging Face's tokenizer files: what a checkpoint that keeps its tokenizer in another form becomes.
#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "detent/data/tokenizer.h"
#include "detent/data/vocabulary.h"

namespace detent {

struct TokenizerParts {
  Vocabulary vocabulary = {};
  std::optional<int32_t> bos = {}, eos = {};
  bool add_bos = false, add_eos = false;  // to every text
  std::string chat_template = {};
};

// The merges that sentencepiece's scores imply: every pair of normal tokens that makes a third one, the best score
// first. sentencepiece and llama2.c merge the best-scoring pair, the leftmost where scores are equal.
std::vector<std::pair<std::string, std::string>> merges_of_scores(const Vocabulary& vocabulary);

// tokenizer.json. Fails, naming source, on a vocabulary that it cannot express.
nlohmann::ordered_json tokenizer_json(const TokenizerParts& parts, const std::string& source);
// tokenizer.json, tokenizer_config.json and special_tokens_map.json into an existing folder.
void write_tokenizer_files(const TokenizerParts& parts, const std::filesystem::path& folder, const std::string& source);
// The tokenizer that those files make.
std::unique_ptr<Tokenizer> tokenizer_of_parts(const TokenizerParts& parts, const std::string& source);

}  // namespace detent
