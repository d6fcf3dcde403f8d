// Text that appears piece by piece: whole characters only, and nothing of what ends it.
#include "detent/train/text_stream.h"

#include <gtest/gtest.h>

#include "detent/data/tokenizer/utf8.h"

namespace detent {
namespace {

std::vector<std::string> pieces(std::string_view bytes, const std::string& stop = "") {
  const auto tokenizer = byte_tokenizer();
  TextStream stream(*tokenizer, stop);
  std::vector<std::string> shown;
  for (const char byte : bytes) {
    shown.push_back(stream.push(static_cast<unsigned char>(byte)));
    if (stream.stopped()) return shown;
  }
  shown.push_back(stream.finish());
  return shown;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += part;
  return all;
}

TEST(TextStream, NeverShowsHalfACharacter) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";  // a é € 😀 z
  const std::vector<std::string> shown = pieces(text);
  EXPECT_EQ(joined(shown), text);
  for (const std::string& piece : shown) EXPECT_EQ(replace_invalid_utf8(piece), piece);
  EXPECT_EQ(shown[1], "");
  EXPECT_EQ(shown[2], "\xC3\xA9");
  EXPECT_EQ(shown[9], "\xF0\x9F\x98\x80");
}

TEST(TextStream, BytesThatAreNoCharacterAreReplaced) {
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(joined(pieces("a\xFFz")), "a" + replaced + "z");
  EXPECT_EQ(joined(pieces("\xE2\x82z")), replaced + "z");                                    // begun, never finished
  EXPECT_EQ(joined(pieces("a\xF0\x9F")), "a" + replaced);                                    // the end of the text
  EXPECT_EQ(joined(pieces("\xC0\xAF")), replaced + replaced);                                // overlong
  EXPECT_EQ(joined(pieces("\xED\xA0\x80")), replaced + replaced + replaced);                 // a surrogate
  EXPECT_EQ(joined(pieces("\xF4\x90\x80\x80")), replaced + replaced + replaced + replaced);  // beyond U+10FFFF
}

TEST(TextStream, StopTextEndsAndIsNotShown) {
  EXPECT_EQ(joined(pieces("one END two", "END")), "one ");
  EXPECT_EQ(joined(pieces("ENENDx", "END")), "EN");
  EXPECT_EQ(joined(pieces("an EN is no end", "END")), "an EN is no end");
  EXPECT_EQ(joined(pieces("EN", "END")), "EN");  // held back until the end
  EXPECT_EQ(joined(pieces("aab", "aab")), "");
  EXPECT_EQ(joined(pieces("\xC3\xA9\xC3\xA8", "\xC3\xA8")), "\xC3\xA9");
}

TEST(TextStream, HoldsBackOnlyWhatMayBecomeStopText) {
  const std::vector<std::string> shown = pieces("ab EN c", "END");
  EXPECT_EQ(shown[0], "a");
  EXPECT_EQ(shown[3], "");  // E
  EXPECT_EQ(shown[4], "");  // EN
  EXPECT_EQ(shown[5], "EN ");
}

}  // namespace
}  // namespace detent
