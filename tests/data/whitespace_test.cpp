#include "detent/data/whitespace.h"

#include <gtest/gtest.h>

#include <string>

namespace detent {
namespace {

// What CPython 3.11 calls white space: [c for c in map(chr, range(0x110000)) if c.isspace()].
const char* const kSpaces[] = {"\x09",   "\x0a",   "\x0b",   "\x0c",   "\x0d",   "\x1c",   "\x1d",   "\x1e",
                               "\x1f",   "\x20",   "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002",
                               "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
                               "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

std::string utf8(uint32_t c) {
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
  return {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)),
          static_cast<char>(0x80 | (c & 63))};
}

TEST(Whitespace, IsPythons) {
  std::string all;
  for (uint32_t c = 1; c < 0x10000; ++c)
    if (strip(utf8(c)).empty()) all += utf8(c);
  std::string expected;
  for (const char* space : kSpaces) expected += space;
  EXPECT_EQ(all, expected);
}

TEST(Whitespace, StripsBothEndsOrOne) {
  EXPECT_EQ(strip("\u3000 \n a b\u00a0\t"), "a b");
  EXPECT_EQ(strip_right(" a \u2003\r\n"), " a");
  EXPECT_EQ(strip(" \n\u2028 "), "");
  EXPECT_EQ(strip(""), "");
  EXPECT_EQ(strip_right("a\x85"), "a\x85");        // a lone continuation byte
  EXPECT_EQ(strip_right("\xe0\xa0"), "\xe0\xa0");  // a cut character that ends like U+00A0
  EXPECT_EQ(strip_right("\xc3\xa0"), "\xc3\xa0");  // à
}

// re.split(r"\s+", text)
TEST(Whitespace, CountsWordsAsPythonSplits) {
  EXPECT_EQ(count_words(""), 1);
  EXPECT_EQ(count_words("one"), 1);
  EXPECT_EQ(count_words("one two"), 2);
  EXPECT_EQ(count_words(" one \n\t two "), 4);
  EXPECT_EQ(count_words("   "), 2);
  EXPECT_EQ(count_words("a\u2003b\u3000 \u00a0c"), 3);
  EXPECT_EQ(count_words("a\xff\xc2 b"), 2);
}

}  // namespace
}  // namespace detent
