#include "detent/data/tokenizer/unicode.h"

#include <algorithm>
#include <functional>
#include <iterator>

namespace detent {

namespace {

constexpr char32_t kEnd = 0x110000;

struct Run {
  char32_t first;
  Category category;
};
constexpr Run kRuns[] = {
#include "detent/data/tokenizer/unicode_categories.inc"
};

// PropList.txt of Unicode 16: White_Space, and Other_Alphabetic outside \p{M} (circled and squared letters).
constexpr std::pair<char32_t, char32_t> kWhiteSpace[] = {
    {0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
constexpr std::pair<char32_t, char32_t> kOtherAlphabetic[] = {
    {0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};

constexpr const char* kNames[kCategories] = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl",
                                             "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc",
                                             "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"};

uint8_t classes_of(Category category) {
  uint8_t word = category <= Me || category == Nd || category == Nl || category == Pc ? kWord : 0;
  if (category <= Lo) return word | kLetter;
  if (category <= Me) return word | kMark;
  if (category <= No) return word | kNumber;
  if (category <= Po) return word | kPunctuation;
  return category <= So ? kSymbol : 0;
}

CodeRanges ranges_where(const std::function<bool(char32_t)>& wanted) {
  CodeRanges ranges;
  for (char32_t code = 0; code < kEnd; ++code) {
    if (!wanted(code)) continue;
    if (!ranges.empty() && ranges.back().second + 1 == code)
      ranges.back().second = code;
    else
      ranges.emplace_back(code, code);
  }
  return ranges;
}

bool is_surrogate(char32_t code) { return code >= 0xD800 && code <= 0xDFFF; }

}  // namespace

const UnicodeTable& UnicodeTable::get() {
  static const UnicodeTable table;
  return table;
}

UnicodeTable::UnicodeTable() : categories_(kEnd), classes_(kEnd) {
  for (size_t i = 0; i < std::size(kRuns); ++i) {
    const char32_t end = i + 1 < std::size(kRuns) ? kRuns[i + 1].first : kEnd;
    std::fill(categories_.begin() + kRuns[i].first, categories_.begin() + end, kRuns[i].category);
    std::fill(classes_.begin() + kRuns[i].first, classes_.begin() + end, classes_of(kRuns[i].category));
  }
  for (const auto& [first, last] : kWhiteSpace)
    for (char32_t code = first; code <= last; ++code) classes_[code] |= kSpace;
  for (const auto& [first, last] : kOtherAlphabetic)
    for (char32_t code = first; code <= last; ++code) classes_[code] |= kWord;
  classes_['\n'] |= kNewline;
  classes_['\r'] |= kNewline;
}

CodeRanges ranges_of_class(uint8_t any_of) {
  const UnicodeTable& table = UnicodeTable::get();
  return ranges_where([&](char32_t code) { return table.is(code, any_of); });
}

CodeRanges ranges_of_property(std::string_view name) {
  bool wanted[kCategories];
  for (int c = 0; c < kCategories; ++c) wanted[c] = !name.empty() && std::string_view(kNames[c]).starts_with(name);
  const UnicodeTable& table = UnicodeTable::get();
  return ranges_where([&](char32_t code) { return wanted[table.category(code)] && !is_surrogate(code); });
}

CodeRanges complement(const CodeRanges& ranges) {
  return ranges_where([&](char32_t code) {
    const auto after = std::upper_bound(ranges.begin(), ranges.end(), std::pair(code, kEnd));
    return !is_surrogate(code) && (after == ranges.begin() || std::prev(after)->second < code);
  });
}

}  // namespace detent
