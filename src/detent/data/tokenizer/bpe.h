// Byte-pair encoding of one word, as Hugging Face's library does it.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detent/data/tokenizer/hash_table.h"
#include "detent/data/tokenizer/token_table.h"
#include "detent/data/tokenizer/word_cache.h"

namespace detent {

struct BpeParts {
  TokenTable vocabulary;
  struct Merge {
    int32_t left, right, result;
  };
  std::vector<Merge> merges;  // first rank first
  std::optional<int32_t> unknown;
  bool fuse_unknown = false;   // neighbours that no token spells become one unknown token
  bool byte_fallback = false;  // what no token spells becomes tokens "<0xE2>" where all its bytes have one
  bool ignore_merges = false;  // a word that is a token is that token
  bool byte_level = false;     // words are bytes and the vocabulary spells them as GPT-2 (gpt2_spelling)
};

// What a thread needs to encode; to be used with one Bpe only.
struct BpeScratch {
  WordCache cache;
  struct Symbol {
    int32_t id, previous, next;
  };
  struct Candidate {
    uint64_t key;  // rank, then position: the smallest goes first
    int32_t result;
  };
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
  std::vector<int32_t> word;
};

class Bpe {
 public:
  explicit Bpe(BpeParts parts);
  const BpeParts& parts() const { return parts_; }

  // Appends the ids of a word (valid UTF-8 unless byte_level): its characters, or bytes, as tokens, of which the pair
  // with the lowest rank, the leftmost first, is merged until no pair has a merge. O(n log n).
  void encode(std::string_view word, BpeScratch& scratch, std::vector<int32_t>& out) const;

  // Whether a text encodes alike in two halves cut between its first and its second character (or byte).
  bool can_cut_in(std::string_view two) const;

 private:
  struct Ranked {
    uint32_t rank;
    int32_t result;
  };
  void index_units();
  void index_joints();
  std::vector<int32_t> edge_units(int32_t token, bool first) const;
  int32_t unit(std::string_view word, size_t& at) const;
  std::optional<int32_t> whole_word(std::string_view word) const;
  bool joined(int32_t left, int32_t right) const;
  size_t end_of_part(std::string_view word, size_t from) const;
  void encode_part(std::string_view part, BpeScratch& scratch, std::vector<int32_t>& out) const;
  void read_symbols(std::string_view part, BpeScratch& scratch) const;
  bool fall_back(std::string_view bytes, BpeScratch& scratch) const;
  void merge(BpeScratch& scratch) const;
  void consider(int32_t position, BpeScratch& scratch) const;

  BpeParts parts_;
  PairTable<Ranked> merges_;
  std::vector<int32_t> units_;  // the token of each byte or code point; -1: none
  std::vector<int32_t> bytes_;  // [256] the tokens "<0x00>"...; empty without byte_fallback
  TokenTable words_;            // byte_level and ignore_merges: tokens by the bytes they stand for
  PairTable<char> joints_;      // (last unit of a merge's left, first of its right): only these can grow together
};

}  // namespace detent
