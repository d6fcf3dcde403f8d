#include "detent/data/whitespace.h"

namespace detent {

namespace {

// Bytes of the white space character that text begins with; 0 when there is none. str.isspace() of Python 3.
size_t space_at(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const uint8_t first = byte(0), second = byte(1), third = byte(2);
  if ((first >= 0x09 && first <= 0x0D) || (first >= 0x1C && first <= 0x20)) return 1;
  if (first == 0xC2) return second == 0x85 || second == 0xA0 ? 2 : 0;  // U+0085, U+00A0
  if (first == 0xE1) return second == 0x9A && third == 0x80 ? 3 : 0;   // U+1680
  if (first == 0xE2 && second == 0x81) return third == 0x9F ? 3 : 0;   // U+205F
  if (first == 0xE3) return second == 0x80 && third == 0x80 ? 3 : 0;   // U+3000
  if (first != 0xE2 || second != 0x80) return 0;
  return (third >= 0x80 && third <= 0x8A) || third == 0xA8 || third == 0xA9 || third == 0xAF ? 3 : 0;  // U+2000 ...
}

}  // namespace

std::string_view strip_right(std::string_view text) {
  for (size_t length = 1; length <= 3 && length <= text.size();) {
    if (space_at(text.substr(text.size() - length)) == length) {
      text.remove_suffix(length);
      length = 1;
    } else {
      ++length;
    }
  }
  return text;
}

std::string_view strip(std::string_view text) {
  while (const size_t length = space_at(text)) text.remove_prefix(length);
  return strip_right(text);
}

int64_t count_words(std::string_view text) {
  int64_t words = 1;
  bool in_run = false;
  while (!text.empty()) {
    const size_t length = space_at(text);
    words += length > 0 && !in_run;
    in_run = length > 0;
    text.remove_prefix(length > 0 ? length : 1);
  }
  return words;
}

}  // namespace detent
