#include "detent/data/tokenizer/utf8.h"

#include <cstring>

namespace detent {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Sequence {
  size_t size;  // bytes of the longest beginning of a code point, at least one
  bool complete;
};

// What lies at the start of a text that is not empty: table 3-7 of the Unicode standard.
Sequence sequence_at(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return {1, true};
  if (first < 0xC2 || first > 0xF4) return {1, false};
  const size_t wanted = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  uint8_t low = 0x80, high = 0xBF;  // of the second byte
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  size_t size = 1;
  for (; size < wanted && size < text.size(); ++size) {
    const auto byte = static_cast<uint8_t>(text[size]);
    if (byte < low || byte > high) break;
    low = 0x80;
    high = 0xBF;
  }
  return {size, size == wanted};
}

}  // namespace

void append_utf8(std::string& text, char32_t code) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xE0 | code >> 12);
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
    }
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

std::string to_utf8(char32_t code) {
  std::string text;
  append_utf8(text, code);
  return text;
}

size_t valid_utf8_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    // Eight ASCII bytes at a time.
    uint64_t word;
    while (at + sizeof(word) <= text.size()) {
      std::memcpy(&word, text.data() + at, sizeof(word));
      if (word & 0x8080808080808080u) break;
      at += sizeof(word);
    }
    if (at == text.size()) break;
    const Sequence sequence = sequence_at(text.substr(at));
    if (!sequence.complete) break;
    at += sequence.size;
  }
  return at;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  while (true) {
    const size_t valid = valid_utf8_prefix(text);
    result += text.substr(0, valid);
    text.remove_prefix(valid);
    if (text.empty()) return result;
    result += kReplacement;
    text.remove_prefix(sequence_at(text).size);
  }
}

}  // namespace detent
