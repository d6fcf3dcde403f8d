#include "detent/data/tokenizer/pattern.h"

#include <algorithm>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/data/tokenizer/unicode.h"
#include "detent/data/tokenizer/utf8.h"

namespace detent {

namespace {

constexpr size_t kMaxPattern = 65536;
constexpr int kMaxGroups = 100;  // inside one another
constexpr int kMaxRepeats = 1000;

std::string in_class(const CodeRanges& ranges, bool negated) {
  std::string text = negated ? "[^" : "[";
  for (const auto& [first, last] : ranges) {
    fmt::format_to(std::back_inserter(text), "\\x{{{:x}}}", static_cast<uint32_t>(first));
    if (last != first) fmt::format_to(std::back_inserter(text), "-\\x{{{:x}}}", static_cast<uint32_t>(last));
  }
  return text + "]";
}

CodeRanges merged(CodeRanges ranges) {
  std::sort(ranges.begin(), ranges.end());
  CodeRanges result;
  for (const auto& range : ranges) {
    if (!result.empty() && range.first <= result.back().second + 1)
      result.back().second = std::max(result.back().second, range.second);
    else
      result.push_back(range);
  }
  return result;
}

// Oniguruma's \w outside brackets, and what \b looks for: \w of a class and the numbers of Latin-1.
const CodeRanges& bare_word() {
  static const CodeRanges ranges = [] {
    CodeRanges all = ranges_of_class(kWord);
    all.insert(all.end(), {{0xB2, 0xB3}, {0xB9, 0xB9}, {0xBC, 0xBE}});
    return merged(std::move(all));
  }();
  return ranges;
}

class Translator {
 public:
  Translator(std::string_view pattern, std::string_view source) : pattern_(pattern), source_(source) {}

  std::string run() {
    while (at_ < pattern_.size()) element();
    if (groups_ > 0) refuse("a group that is not closed");
    return looks_for_words_ ? fmt::format("(?(DEFINE)({})){}", in_class(bare_word(), false), out_) : std::move(out_);
  }

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    fail("{}: the pattern {} has {}, which is not supported", source_, in_quotes(pattern_), what);
  }

  bool more() const { return at_ < pattern_.size(); }
  bool take(std::string_view text) {
    if (!pattern_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  char32_t take_code_point() {
    if (!more()) refuse("nothing after a backslash or an opening bracket");
    return next_code_point(pattern_, at_);
  }

  void element() {
    const char32_t code = take_code_point();
    switch (code) {
      case '\\':
        return escape();
      case '[':
        return char_class();
      case '(':
        return open_group();
      case ')':
        return close_group();
      case '|':
        return plain("|");
      case '.':
        return set({{'\n', '\n'}}, true);
      // Oniguruma's ^ begins a line, but none after a line break that ends the text; its $ ends one.
      case '^':
        return plain("(?:\\A|(?<=\\n)(?!\\z))");
      case '$':
        return plain("(?=\\n|\\z)");
      case '*':
      case '+':
      case '?':
        refuse("a repeat of nothing");
      case '{':
        refuse("a { that repeats nothing (write \\{)");
      default:
        set({{code, code}}, false);
    }
  }

  void plain(std::string_view text) {  // what cannot be repeated
    out_ += text;
    if (more() && (pattern_[at_] == '*' || pattern_[at_] == '+' || pattern_[at_] == '?')) refuse("a repeat of nothing");
  }

  void set(const CodeRanges& ranges, bool negated) {
    if (ranges.empty()) refuse("an empty class");
    out_ += in_class(ranges, negated);
    repeat();
  }

  void open_group() {
    static constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
        {"?:", "(?:"}, {"?=", "(?="}, {"?!", "(?!"}, {"?<=", "(?<="}, {"?<!", "(?<!"}, {"?>", "(?>"}, {"?i:", "(?i:"}};
    if (++groups_ > kMaxGroups) refuse("groups nested too deep");
    for (const auto& [kind, written] : kKinds)
      if (take(kind)) return void(out_ += written);
    if (more() && pattern_[at_] == '?') refuse("a group of an unusual kind");
    out_ += "(?:";
  }

  void close_group() {
    if (--groups_ < 0) refuse("a ) without its (");
    out_ += ")";
    repeat();
  }

  void repeat() {
    if (!more()) return;
    const size_t begin = at_;
    bool interval = false, range = false;
    if (pattern_[at_] == '{') {
      out_ += take_interval();
      interval = true;
      range = pattern_.substr(begin, at_ - begin).find(',') != pattern_.npos;
    } else if (take("*") || take("+") || take("?")) {
      out_ += pattern_.substr(begin, 1);
    } else {
      return;
    }
    if (!more()) return;
    // Oniguruma reads {2,3}+ and {2}? as repeats of repeats; {2,3}? is lazy.
    if (interval && (pattern_[at_] == '+' || (pattern_[at_] == '?' && !range))) refuse("a repeat of a repeat");
    if (take("+"))
      out_ += "+";
    else if (take("?"))
      out_ += "?";
    if (more() && std::string_view("*+?{").find(pattern_[at_]) != std::string_view::npos)
      refuse("a repeat of a repeat");
  }

  int take_number() {
    int number = 0;
    while (more() && pattern_[at_] >= '0' && pattern_[at_] <= '9') {
      number = number * 10 + (pattern_[at_++] - '0');
      if (number > kMaxRepeats) refuse("a very long repeat");
    }
    return number;
  }

  std::string take_interval() {
    take("{");
    const size_t begin = at_;
    const int low = take_number();
    const bool any = at_ > begin;
    const bool range = take(",");
    const size_t middle = at_;
    const int high = take_number();
    if (!take("}") || (!any && at_ == middle + 1)) refuse("a { that repeats nothing (write \\{)");
    if (!range) return fmt::format("{{{}}}", low);
    return middle + 1 == at_ ? fmt::format("{{{},}}", low) : fmt::format("{{{},{}}}", low, high);
  }

  void escape() {
    if (take("A")) return plain("\\A");
    if (take("z")) return plain("\\z");
    if (take("b")) return word_edge(true);
    if (take("B")) return word_edge(false);
    if (take("w")) return set(bare_word(), false);
    if (take("W")) return set(bare_word(), true);
    set(escaped_set(), false);
  }

  // A place where a word begins or ends, or one where none does. The class of word characters is long and PCRE2's code
  // limited to 64 KB, so it stands once, as group 1 in front.
  void word_edge(bool wanted) {
    looks_for_words_ = true;
    plain(wanted ? "(?:(?<=(?1))(?!(?1))|(?<!(?1))(?=(?1)))" : "(?:(?<=(?1))(?=(?1))|(?<!(?1))(?!(?1)))");
  }

  // What follows a backslash, as a set of code points.
  CodeRanges escaped_set() {
    static constexpr std::pair<char, uint8_t> kClasses[] = {{'s', kSpace}, {'w', kWord}};
    for (const auto& [letter, bits] : kClasses) {
      if (take({&letter, 1})) return ranges_of_class(bits);
      const char upper = static_cast<char>(letter - 'a' + 'A');
      if (take({&upper, 1})) return complement(ranges_of_class(bits));
    }
    if (take("d")) return ranges_of_property("Nd");
    if (take("D")) return complement(ranges_of_property("Nd"));
    if (take("p{")) return property(false);
    if (take("P{")) return property(true);
    const char32_t code = escaped_code_point();
    return {{code, code}};
  }

  CodeRanges property(bool opposite) {
    if (take("^")) opposite = !opposite;
    const size_t end = pattern_.find('}', at_);
    if (end == pattern_.npos) refuse("a property without a closing brace");
    const std::string_view name = pattern_.substr(at_, end - at_);
    at_ = end + 1;
    const CodeRanges ranges = ranges_of_property(name);
    if (ranges.empty()) refuse(fmt::format("the property {}", in_quotes(name)));
    return opposite ? complement(ranges) : ranges;
  }

  char32_t escaped_code_point() {
    static constexpr std::pair<char, char32_t> kControls[] = {{'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'f', '\f'},
                                                              {'v', '\v'}, {'a', '\a'}, {'e', 0x1B}};
    for (const auto& [letter, code] : kControls)
      if (take({&letter, 1})) return code;
    if (take("x{")) return hexadecimal(1, 8, true);
    if (take("x")) return hexadecimal(1, 2, false);
    if (take("u")) return hexadecimal(4, 4, false);
    const char32_t code = take_code_point();
    const bool letter = (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || (code >= '0' && code <= '9');
    if (letter) refuse(fmt::format("the escape \\{}", static_cast<char>(code)));
    return code;
  }

  char32_t hexadecimal(size_t fewest, size_t most, bool braces) {
    size_t digits = 0;
    char32_t code = 0;
    for (; digits < most && more() && std::isxdigit(static_cast<unsigned char>(pattern_[at_])); ++digits, ++at_)
      code = code * 16 + static_cast<char32_t>(std::stoi(std::string(1, pattern_[at_]), nullptr, 16));
    if (digits < fewest || (braces && !take("}"))) refuse("an unfinished hexadecimal escape");
    // A lone byte above 0x7F is no character of UTF-8.
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) || (most == 2 && code > 0x7F))
      refuse("an escape that is no character");
    return code;
  }

  void char_class() {
    const bool negated = take("^");
    CodeRanges all;
    for (bool first = true; !take("]"); first = false) {
      if (first && more() && pattern_[at_] == ']') refuse("an empty class");
      if (take("&&")) refuse("an intersection (&&) in a class");
      if (more() && pattern_[at_] == '[') refuse("a [ inside a class (write \\[)");
      const CodeRanges item = class_item();
      all.insert(all.end(), item.begin(), item.end());
    }
    set(merged(std::move(all)), negated);
  }

  CodeRanges class_item() {
    CodeRanges low = class_atom();
    const bool single = low.size() == 1 && low[0].first == low[0].second;
    if (!single || !more() || pattern_[at_] != '-' || pattern_.substr(at_ + 1).starts_with("]")) return low;
    take("-");
    const CodeRanges high = class_atom();
    if (high.size() != 1 || high[0].first != high[0].second || high[0].first < low[0].first)
      refuse("a range that does not end in a character behind its first");
    return {{low[0].first, high[0].first}};
  }

  CodeRanges class_atom() {
    if (take("\\")) {
      if (take("b")) refuse("the escape \\b in a class");
      return escaped_set();
    }
    const char32_t code = take_code_point();
    return {{code, code}};
  }

  std::string_view pattern_, source_;
  size_t at_ = 0;
  int groups_ = 0;
  bool looks_for_words_ = false;
  std::string out_;
};

}  // namespace

std::string to_pcre2(std::string_view pattern, std::string_view source) {
  if (pattern.size() > kMaxPattern) fail("{}: a pattern of {} bytes is too long", source, pattern.size());
  if (!is_valid_utf8(pattern)) fail("{}: a pattern is not valid UTF-8", source);
  return Translator(pattern, source).run();
}

}  // namespace detent
