#include "detent/deploy/gguf_tokenizer.h"

#include <algorithm>

#include "detent/base/error.h"

namespace detent {

namespace {

constexpr const char *kModel = "tokenizer.ggml.model", *kTokens = "tokenizer.ggml.tokens";
constexpr const char* kNoVocabulary = "no_vocab";

// A table of embeddings with more rows than there are tokens is padding.
void pad(std::vector<std::string>& tokens, std::vector<int32_t>& types, int64_t vocab_size) {
  for (auto id = static_cast<int64_t>(tokens.size()); id < vocab_size; ++id) {
    tokens.push_back(fmt::format("[PAD{}]", id));
    types.push_back(static_cast<int32_t>(TokenType::kUnused));
  }
}

}  // namespace

std::vector<io::GgufKeyValue> tokenizer_metadata(const Tokenizer* tokenizer, int64_t vocab_size) {
  if (!tokenizer) return {{kModel, std::string(kNoVocabulary)}};
  if (tokenizer->name() != "bytes")
    fail("[export] the tokenizer {} cannot be put into a GGUF file yet; use --to safetensors:dequantized",
         tokenizer->name());
  const Vocabulary vocabulary = tokenizer->vocabulary();
  std::vector<std::string> tokens = vocabulary.tokens;
  if (static_cast<int64_t>(tokens.size()) > vocab_size)
    fail("[export] the tokenizer has {} tokens, the model only {}; give the model's own tokenizer", tokens.size(),
         vocab_size);
  std::vector<int32_t> types;
  for (const TokenType type : vocabulary.types) types.push_back(static_cast<int32_t>(type));
  pad(tokens, types, vocab_size);
  const auto end = static_cast<uint32_t>(tokenizer->end_of_text());
  // In llama.cpp's terms a byte tokenizer is GPT-2's byte-level BPE without a single merge.
  return {{kModel, std::string("gpt2")},
          {"tokenizer.ggml.pre", std::string("default")},
          {kTokens, tokens},
          {"tokenizer.ggml.token_type", types},
          {"tokenizer.ggml.merges", std::vector<std::string>{}},
          {"tokenizer.ggml.eos_token_id", end},
          {"tokenizer.ggml.add_bos_token", false}};
}

std::unique_ptr<Tokenizer> tokenizer_from_gguf(const io::GgufReader& file, const std::string& source) {
  if (!file.find_value(kTokens)) fail("{}: the file holds no tokenizer; export from a folder that has one", source);
  std::unique_ptr<Tokenizer> bytes = byte_tokenizer();
  const auto& tokens = file.get<std::vector<std::string>>(kTokens);
  const std::vector<std::string> expected = bytes->vocabulary().tokens;
  const auto* merges = file.find_value("tokenizer.ggml.merges");
  const bool plain = merges && std::holds_alternative<std::vector<std::string>>(*merges) &&
                     std::get<std::vector<std::string>>(*merges).empty();
  if (!plain || tokens.size() < expected.size() || !std::equal(expected.begin(), expected.end(), tokens.begin()))
    fail("{}: only the byte tokenizer is read from GGUF so far", source);
  return bytes;
}

}  // namespace detent
