// Tokens that are found in the text before anything else is.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detent/data/tokenizer/hash_table.h"

namespace detent {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false;             // only where no word goes on at its sides
  bool lstrip = false, rstrip = false;  // white space at that side belongs to it
  bool normalized = true;               // looked for in the normalized text, in its own normalized form
  bool special = false;                 // has no text when decoded
};

// A part of a text: an added token, or what lies between.
struct AddedSpan {
  std::optional<int32_t> id;
  size_t begin, end;
};

// Finds tokens in a text, from left to right, the longest at each place.
class AddedTokenMatcher {
 public:
  // spelling: what is looked for, not empty. False when that spelling is there already.
  bool add(std::string_view spelling, const AddedToken& token);
  // The spans of text (valid UTF-8), in order. Where a token takes white space that another token is made of, spans can
  // overlap, as the library's do.
  void split(std::string_view text, const std::function<void(const AddedSpan&)>& take) const;
  bool empty() const { return tokens_.empty(); }
  // Whether no token lies across, or takes white space behind, a place between these two characters.
  bool can_cut_between(char left, char space) const;

 private:
  struct Found {
    const AddedToken* token;
    size_t end;
  };
  std::optional<Found> longest_at(std::string_view text, size_t begin) const;

  std::vector<AddedToken> tokens_;
  PairTable<int32_t> edges_;                           // (node, byte) to node
  std::vector<int32_t> ends_ = {-1};                   // [nodes] the token that ends there
  std::vector<bool> starts_ = std::vector<bool>(256);  // first bytes of tokens
  std::vector<std::string> spellings_;                 // [tokens_]
};

}  // namespace detent
