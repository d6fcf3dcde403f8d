#include "detent/data/tokenizer/added_tokens.h"

#include <algorithm>

#include "detent/data/tokenizer/unicode.h"
#include "detent/data/tokenizer/utf8.h"

namespace detent {

namespace {

// A word character by the crate regex, which joins words at zero width joiners.
bool is_word(char32_t code) { return UnicodeTable::get().is(code, kWord) || code == 0x200C || code == 0x200D; }
bool is_space(char32_t code) { return UnicodeTable::get().is(code, kSpace); }

bool word_ends_at(std::string_view text, size_t at) {
  if (at == 0) return false;
  size_t begin = previous_boundary(text, at);
  return is_word(next_code_point(text, begin));
}

bool word_begins_at(std::string_view text, size_t at) { return at < text.size() && is_word(next_code_point(text, at)); }

size_t space_before(std::string_view text, size_t at) {
  while (at > 0) {
    const size_t begin = previous_boundary(text, at);
    size_t end = begin;
    if (!is_space(next_code_point(text, end))) break;
    at = begin;
  }
  return at;
}

size_t space_after(std::string_view text, size_t at) {
  for (size_t end = at; end < text.size() && is_space(next_code_point(text, end));) at = end;
  return at;
}

}  // namespace

bool AddedTokenMatcher::add(std::string_view spelling, const AddedToken& token) {
  starts_[static_cast<uint8_t>(spelling[0])] = true;
  int32_t node = 0;
  for (const char c : spelling) {
    const auto byte = static_cast<uint8_t>(c);
    int32_t& next = edges_.at(node, byte);
    if (next == 0) {
      next = static_cast<int32_t>(ends_.size());
      ends_.push_back(-1);
    }
    node = next;
  }
  if (ends_[node] >= 0) return false;
  ends_[node] = static_cast<int32_t>(tokens_.size());
  tokens_.push_back(token);
  spellings_.emplace_back(spelling);
  return true;
}

bool AddedTokenMatcher::can_cut_between(char left, char space) const {
  const char across[] = {left, space, 0};
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (spellings_[i].find(across) != std::string::npos) return false;
    if (tokens_[i].rstrip && spellings_[i].ends_with(left)) return false;
  }
  return true;
}

std::optional<AddedTokenMatcher::Found> AddedTokenMatcher::longest_at(std::string_view text, size_t begin) const {
  std::optional<Found> longest;
  const int32_t* node = edges_.find(0, static_cast<uint8_t>(text[begin]));
  for (size_t at = begin + 1; node; ++at) {
    if (ends_[*node] >= 0) longest = Found{&tokens_[ends_[*node]], at};
    if (at == text.size()) break;
    node = edges_.find(*node, static_cast<uint8_t>(text[at]));
  }
  return longest;
}

void AddedTokenMatcher::split(std::string_view text, const std::function<void(const AddedSpan&)>& take) const {
  size_t done = 0;
  for (size_t at = 0; at < text.size() && !empty();) {
    const std::optional<Found> found = starts_[static_cast<uint8_t>(text[at])] ? longest_at(text, at) : std::nullopt;
    if (!found) {
      ++at;
      continue;
    }
    size_t begin = at, end = found->end;
    at = end;
    const AddedToken& token = *found->token;
    if (token.single_word && (word_ends_at(text, begin) || word_begins_at(text, end))) continue;
    if (token.lstrip) begin = std::max(space_before(text, begin), done);
    if (token.rstrip) end = space_after(text, end);
    if (done < begin) take({std::nullopt, done, begin});
    take({token.id, begin, end});
    done = end;
  }
  if (done != text.size()) take({std::nullopt, done, text.size()});
}

}  // namespace detent
