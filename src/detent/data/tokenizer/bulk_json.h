// tokenizer.json as one pass leaves it: the two long lists in tables, the rest as a tree.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace detent {

struct BulkJson {
  struct Text {
    uint64_t begin;
    uint32_t size;
  };
  struct Token {
    Text spelling;
    int64_t id;
  };
  struct Merge {
    Text left, right;
  };

  std::vector<Token> vocabulary;  // model.vocab, in the file's order
  std::vector<Merge> merges;      // model.merges, in both spellings: "a b" and ["a", "b"]
  bool has_vocabulary = false, has_merges = false;
  nlohmann::json rest;  // null where those two were

  std::string_view text(const Text& text) const { return std::string_view(bytes_).substr(text.begin, text.size); }
  Text keep(std::string_view text);

 private:
  std::string bytes_;
};

// Fails (bad input) on anything that is not strict JSON (parse_json) and on entries of other types. A vocabulary that
// is a list, as models other than BPE have it, is passed over.
BulkJson read_bulk_json(std::string_view text, std::string_view source);

}  // namespace detent
