#include "detent/data/tokenizer/finder.h"

#include "detent/data/tokenizer/known_patterns.h"
#include "detent/data/tokenizer/unicode.h"
#include "detent/data/tokenizer/utf8.h"

namespace detent {

namespace {

class RegexFinder : public Finder {
 public:
  RegexFinder(std::string_view pattern, std::string_view source) : regex_(pattern, source), pattern_(pattern) {}
  std::optional<Match> next(std::string_view text, size_t from) const override { return regex_.find(text, from); }
  Cut cut_before(char space) const override { return known_cut(pattern_, space); }

 private:
  Regex regex_;
  std::string pattern_;
};

class StringFinder : public Finder {
 public:
  explicit StringFinder(std::string wanted) : wanted_(std::move(wanted)) {}
  std::optional<Match> next(std::string_view text, size_t from) const override {
    const size_t at = text.find(wanted_, from);
    if (at == text.npos) return std::nullopt;
    return Match{at, at + wanted_.size()};
  }
  Cut cut_before(char space) const override {
    const bool apart = wanted_.size() == 1 || wanted_.find(space) == std::string::npos;
    return apart ? Cut::kTransparent : Cut::kUnknown;
  }

 private:
  std::string wanted_;
};

class DigitFinder : public Finder {
 public:
  std::optional<Match> next(std::string_view text, size_t from) const override {
    while (from < text.size()) {
      const size_t begin = from;
      if (is_digit(next_code_point(text, from))) return Match{begin, from};
    }
    return std::nullopt;
  }
  Cut cut_before(char) const override { return Cut::kTransparent; }

 private:
  bool is_digit(char32_t code) const {
    const bool newer = (code >= 0x11DE0 && code <= 0x11DE9) || (code >= 0x16FF4 && code <= 0x16FF6);
    return table_.is(code, kNumber) || newer;
  }
  const UnicodeTable& table_ = UnicodeTable::get();
};

}  // namespace

std::unique_ptr<Finder> find_pattern(std::string_view pattern, std::string_view source) {
  if (auto known = known_pattern(pattern)) return known;
  return find_regex(pattern, source);
}

std::unique_ptr<Finder> find_regex(std::string_view pattern, std::string_view source) {
  return std::make_unique<RegexFinder>(pattern, source);
}

std::unique_ptr<Finder> find_string(std::string text) { return std::make_unique<StringFinder>(std::move(text)); }
std::unique_ptr<Finder> find_digits() { return std::make_unique<DigitFinder>(); }

}  // namespace detent
