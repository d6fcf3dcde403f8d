#include "detent/data/vocabulary.h"

#include <algorithm>

namespace detent {

namespace {

bool is_named(const Vocabulary& vocabulary, size_t id) {
  return !vocabulary.tokens[id].empty() && vocabulary.types[id] != TokenType::kUnused;
}

}  // namespace

std::string with_visible_spaces(const std::string& token) {
  std::string spelled;
  for (const char c : token) spelled += c == ' ' ? std::string("\u2581") : std::string(1, c);
  return spelled;
}

std::optional<size_t> first_difference(const Vocabulary& a, const Vocabulary& b) {
  for (size_t id = 0; id < std::min(a.tokens.size(), b.tokens.size()); ++id)
    if (is_named(a, id) && is_named(b, id) && with_visible_spaces(a.tokens[id]) != with_visible_spaces(b.tokens[id]))
      return id;
  return std::nullopt;
}

}  // namespace detent
