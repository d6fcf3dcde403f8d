#include "detent/data/tokenizer/known_patterns.h"

#include <algorithm>

#include "detent/data/tokenizer/unicode.h"
#include "detent/data/tokenizer/utf8.h"

namespace detent {

namespace {

constexpr KnownPattern kPatterns[] = {
    {"gpt2", R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
    {"llama3", R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
               R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"qwen2", R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
              R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"qwen35", R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)"
               R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"deepseek3", R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
                  R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

// A place in a text: the code point there, what it is, and where the next one begins.
struct Here {
  char32_t code = 0;
  uint8_t is = 0;  // no class at all behind the end
  size_t end = 0;
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Here at(size_t from) const {
    if (from >= text_.size()) return {};
    Here here{0, 0, from};
    here.code = next_code_point(text_, here.end);
    here.is = table_.classes(here.code);
    return here;
  }
  bool ends(size_t from) const { return from >= text_.size(); }

  // The end of the run of code points from `from` on whose classes meet any_of, or none of any_of.
  size_t run_of(size_t from, uint8_t any_of) const {
    for (Here here = at(from); from < text_.size() && (here.is & any_of); here = at(from)) from = here.end;
    return from;
  }
  size_t run_of_others(size_t from, uint8_t none_of) const {
    for (Here here = at(from); from < text_.size() && !(here.is & none_of); here = at(from)) from = here.end;
    return from;
  }

  // \s*[\r\n]+ (when lines), \s+(?!\S) and \s+ at a white space.
  size_t spaces(size_t from, bool lines) const {
    size_t end = from, last = from, line = 0;
    for (Here here = at(end); end < text_.size() && (here.is & kSpace); here = at(end)) {
      last = end;
      end = here.end;
      if (here.is & kNewline) line = end;
    }
    if (lines && line > 0) return line;
    return end < text_.size() && last > from ? last : end;
  }

 private:
  std::string_view text_;
  const UnicodeTable& table_ = UnicodeTable::get();
};

// The end of 's, 't, 're, 've, 'm, 'll or 'd at an apostrophe, or 0. fold: in any case, the long s among them.
size_t contraction(std::string_view text, size_t from, bool fold) {
  const std::string_view rest = text.substr(from + 1, 2);
  const auto letter = [&](size_t i) -> char {
    if (i >= rest.size()) return 0;
    return fold && rest[i] >= 'A' && rest[i] <= 'Z' ? static_cast<char>(rest[i] - 'A' + 'a') : rest[i];
  };
  const char first = letter(0), second = letter(1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return from + 2;
  if (((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l')) return from + 3;
  return fold && rest == "\u017F" ? from + 3 : 0;
}

// GPT-2's pattern and those of Llama 3 and Qwen, which differ in what may stand before a word, in how numbers are cut
// and in what takes line breaks.
struct GptStyle {
  bool llama3;   // else GPT-2
  int digits;    // of a number, at most; 0: any, with a space before
  uint8_t word;  // kLetter, perhaps kMark
};

class GptFinder : public Finder {
 public:
  explicit GptFinder(const GptStyle& style) : style_(style) {}

  std::optional<Match> next(std::string_view text, size_t from) const override {
    if (from >= text.size()) return std::nullopt;
    return Match{from, end(text, from)};
  }
  Cut cut_before(char) const override { return Cut::kBoundary; }

 private:
  size_t end(std::string_view text, size_t from) const {
    const Scanner scan(text);
    const Here here = scan.at(from);
    if (here.code == '\'')
      if (const size_t end = contraction(text, from, style_.llama3)) return end;
    if (here.is & style_.word) return scan.run_of(here.end, style_.word);
    const Here after = scan.at(here.end);
    const bool before_word = style_.llama3 ? !(here.is & (kNewline | kNumber)) : here.code == ' ';
    if (before_word && (after.is & style_.word)) return scan.run_of(after.end, style_.word);
    if (here.is & kNumber) return number(scan, here.end);
    if (here.code == ' ' && (after.is & kNumber) && style_.digits == 0) return number(scan, after.end);
    const uint8_t not_other = kSpace | kNumber | style_.word;
    const bool other = !(here.is & not_other);
    if (other || (here.code == ' ' && !scan.ends(here.end) && !(after.is & not_other))) {
      const size_t run = scan.run_of_others(other ? here.end : after.end, not_other);
      return style_.llama3 ? scan.run_of(run, kNewline) : run;
    }
    return scan.spaces(from, style_.llama3);
  }

  size_t number(const Scanner& scan, size_t from) const {
    if (style_.digits == 0) return scan.run_of(from, kNumber);
    for (int digit = 1; digit < style_.digits; ++digit) {
      const Here here = scan.at(from);
      if (!(here.is & kNumber)) break;
      from = here.end;
    }
    return from;
  }

  GptStyle style_;
};

// DeepSeek V3's pattern, which finds nothing in numbers and control characters.
class DeepSeekFinder : public Finder {
 public:
  std::optional<Match> next(std::string_view text, size_t from) const override {
    const Scanner scan(text);
    for (; from < text.size(); from = scan.at(from).end)
      if (const size_t end = end_at(scan, from)) return Match{from, end};
    return std::nullopt;
  }
  Cut cut_before(char) const override { return Cut::kBoundary; }

 private:
  static bool is_ascii_letter(char32_t code) { return (code | 32) >= 'a' && (code | 32) <= 'z'; }

  static size_t end_at(const Scanner& scan, size_t from) {
    constexpr uint8_t kWordClass = kLetter | kMark, kSign = kPunctuation | kSymbol;
    const Here here = scan.at(from);
    Here after = scan.at(here.end);
    if (here.code < 0x80 && (here.is & kSign) && is_ascii_letter(after.code)) {
      size_t end = here.end;
      for (; is_ascii_letter(after.code); after = scan.at(end)) end = after.end;
      return end;
    }
    if (here.is & kWordClass) return scan.run_of(here.end, kWordClass);
    if (!(here.is & (kNewline | kSign)) && (after.is & kWordClass)) return scan.run_of(after.end, kWordClass);
    const bool sign = here.is & kSign;
    if (sign || (here.code == ' ' && (after.is & kSign)))
      return scan.run_of(scan.run_of(sign ? here.end : after.end, kSign), kNewline);
    return here.is & kSpace ? scan.spaces(from, true) : 0;
  }
};

}  // namespace

const std::string_view kGpt2Pattern = kPatterns[0].text;
const std::string_view kWhitespacePattern = R"([\w\x{200C}\x{200D}]+|[^\w\x{200C}\x{200D}\s]+)";

std::span<const KnownPattern> known_patterns() { return kPatterns; }

std::unique_ptr<Finder> known_pattern(std::string_view pattern) {
  const auto found = std::find_if(std::begin(kPatterns), std::end(kPatterns),
                                  [&](const KnownPattern& known) { return known.text == pattern; });
  if (found == std::end(kPatterns)) return nullptr;
  if (found->name == "gpt2") return std::make_unique<GptFinder>(GptStyle{false, 0, kLetter});
  if (found->name == "llama3") return std::make_unique<GptFinder>(GptStyle{true, 3, kLetter});
  if (found->name == "qwen2") return std::make_unique<GptFinder>(GptStyle{true, 1, kLetter});
  if (found->name == "qwen35") return std::make_unique<GptFinder>(GptStyle{true, 1, kLetter | kMark});
  return std::make_unique<DeepSeekFinder>();
}

Cut known_cut(std::string_view pattern, char space) {
  if (pattern == R"([\r\n])") return space == ' ' ? Cut::kTransparent : Cut::kBoundary;
  if (pattern == R"(\s)" || pattern == R"(\w+|[^\w\s]+)" || pattern == kWhitespacePattern) return Cut::kBoundary;
  constexpr std::string_view kTransparent[] = {R"(\p{N}{1,3})", R"(\p{N}+)", R"(\p{N})", R"([一-龥぀-ゟ゠-ヿ]+)"};
  const bool known = std::find(std::begin(kTransparent), std::end(kTransparent), pattern) != std::end(kTransparent);
  return known ? Cut::kTransparent : Cut::kUnknown;
}

}  // namespace detent
