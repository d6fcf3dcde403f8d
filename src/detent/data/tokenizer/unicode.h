// What kind of character a code point is, in Unicode 16.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace detent {

// In the order of the Unicode standard, table 4-4.
enum Category : uint8_t {
  Lu,
  Ll,
  Lt,
  Lm,
  Lo,
  Mn,
  Mc,
  Me,
  Nd,
  Nl,
  No,
  Pc,
  Pd,
  Ps,
  Pe,
  Pi,
  Pf,
  Po,
  Sm,
  Sc,
  Sk,
  So,
  Zs,
  Zl,
  Zp,
  Cc,
  Cf,
  Cs,
  Co,
  Cn,
  kCategories
};

// One bit a question that a pattern can ask.
enum CharClass : uint8_t {
  kLetter = 1,       // \p{L}
  kMark = 2,         // \p{M}
  kNumber = 4,       // \p{N}
  kPunctuation = 8,  // \p{P}
  kSymbol = 16,      // \p{S}
  kSpace = 32,       // \s: the property White_Space
  kNewline = 64,     // \r and \n
  kWord = 128,       // \w: Alphabetic, \p{M}, \p{Nd}, \p{Pc}
};

class UnicodeTable {
 public:
  static const UnicodeTable& get();
  Category category(char32_t code) const { return static_cast<Category>(categories_[code]); }
  uint8_t classes(char32_t code) const { return classes_[code]; }
  bool is(char32_t code, uint8_t any_of) const { return (classes_[code] & any_of) != 0; }

 private:
  UnicodeTable();
  std::vector<uint8_t> categories_, classes_;  // [0x110000]
};

// Ranges of code points, both ends included, ascending.
using CodeRanges = std::vector<std::pair<char32_t, char32_t>>;

// Those with one of the class's bits.
CodeRanges ranges_of_class(uint8_t any_of);
// \p{name} for a general category ("L", "Lu"; case as in the standard), empty when there is none of
// that name.
CodeRanges ranges_of_property(std::string_view name);
// All but these; surrogates, which no valid text holds, are in neither.
CodeRanges complement(const CodeRanges& ranges);

}  // namespace detent
