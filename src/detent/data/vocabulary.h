// A tokenizer's tokens as other file formats store them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace detent {

// The numbers are those of GGUF's tokenizer.ggml.token_type.
enum class TokenType : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

enum class VocabularyKind {
  kByteLevel,      // byte-level BPE; tokens in GPT-2's spelling (gpt2_spelling)
  kSentencepiece,  // BPE as sentencepiece has it: "▁" for a space, "<0x0A>" for a byte that no token spells
  kUnigram,        // sentencepiece's other model
};

struct Vocabulary {
  VocabularyKind kind = VocabularyKind::kByteLevel;
  std::vector<std::string> tokens;  // [vocab_size] by id; added tokens as they are written; unused ids are empty
  std::vector<TokenType> types;     // [vocab_size]
  std::vector<float> scores;        // [vocab_size]: sentencepiece's, or minus the rank of the merge; else empty
  std::vector<std::string> merges;  // "left right", first rank first
  std::string split;                // the known way of cutting text: "gpt2", "llama3", "qwen2", ...; else empty
  bool add_prefix_space = false;    // a text begins with a space that its author did not write
  bool plain_spaces = false;        // kSentencepiece with " " for a space, so that "▁" in a text is not one
  std::optional<int32_t> unknown, padding;
};

// A token with "▁" for each space, as sentencepiece and llama.cpp spell it.
std::string with_visible_spaces(const std::string& token);

// The first id that stands for another token in each; none: wherever both use an id, it means the same. More tokens in
// one of them, unused ids and the spelling of spaces are no difference.
std::optional<size_t> first_difference(const Vocabulary& a, const Vocabulary& b);

}  // namespace detent
