// The patterns matched by hand find what PCRE2 finds.
#include "detent/data/tokenizer/known_patterns.h"

#include <gtest/gtest.h>

#include <random>

#include "detent/data/tokenizer/unicode.h"
#include "detent/data/tokenizer/utf8.h"

namespace detent {
namespace {

void expect_equal(const KnownPattern& known, const Finder& regex, std::string_view text) {
  const std::unique_ptr<Finder> by_hand = known_pattern(known.text);
  ASSERT_NE(by_hand, nullptr);
  for (size_t from = 0; from <= text.size();) {
    const auto expected = regex.next(text, from), got = by_hand->next(text, from);
    ASSERT_EQ(expected.has_value(), got.has_value()) << known.name << " at " << from << " of " << text;
    if (!expected) return;
    ASSERT_EQ(expected->begin, got->begin) << known.name << " at " << from << " of " << text;
    ASSERT_EQ(expected->end, got->end) << known.name << " at " << from << " of " << text;
    from = expected->end;
  }
}

class KnownPatterns : public testing::TestWithParam<KnownPattern> {
 protected:
  std::unique_ptr<Finder> regex_ = find_regex(GetParam().text, "test");
};

// What the patterns tell apart, one or two of each kind, and the characters with a meaning of their own.
const std::vector<std::string> kPieces = {"a",
                                          "B",
                                          "é",
                                          "漢",
                                          "ſ",
                                          "\u0301",
                                          "1",
                                          "٣",
                                          "½",
                                          "Ⅷ",
                                          " ",
                                          "  ",
                                          "\t",
                                          "\n",
                                          "\r",
                                          "\r\n",
                                          "\u00A0",
                                          "\u3000",
                                          "\u0085",
                                          "\u180E",
                                          "\u200B",
                                          "'",
                                          "s",
                                          "S",
                                          "t",
                                          "re",
                                          "VE",
                                          "m",
                                          "ll",
                                          "lL",
                                          "d",
                                          ".",
                                          "!",
                                          "_",
                                          "$",
                                          "+",
                                          "«",
                                          "。",
                                          "🙂",
                                          "\u200D",
                                          std::string(1, '\0'),
                                          "\u00AD",
                                          "\U0001E030"};

TEST_P(KnownPatterns, EqualPcre2OnShortTexts) {
  for (const std::string& a : kPieces)
    for (const std::string& b : kPieces)
      for (const std::string& c : kPieces) expect_equal(GetParam(), *regex_, a + b + c);
}

TEST_P(KnownPatterns, EqualPcre2OnRandomTexts) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (int i = 0; i < 60; ++i) text += kPieces[random() % kPieces.size()];
    expect_equal(GetParam(), *regex_, text);
  }
}

TEST_P(KnownPatterns, EqualPcre2AroundEveryCodePoint) {
  std::string text;
  for (char32_t code = 0; code < 0x110000; code += code < 0x3400 ? 1 : 13) {
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    text = "a" + to_utf8(code) + " " + to_utf8(code) + "'" + to_utf8(code) + "1" + to_utf8(code) + "\n";
    expect_equal(GetParam(), *regex_, text);
  }
}

INSTANTIATE_TEST_SUITE_P(Patterns, KnownPatterns, testing::ValuesIn(known_patterns()),
                         [](const auto& p) { return std::string(p.param.name); });

}  // namespace
}  // namespace detent
