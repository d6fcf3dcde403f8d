// UTF-8: code points in and out.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace detent {

// The code point at text[at], which moves behind it. text is valid UTF-8 and at lies on a boundary before its end.
inline char32_t next_code_point(std::string_view text, size_t& at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  const auto tail = [&](size_t i) { return static_cast<char32_t>(byte(i) & 0x3F); };
  const uint8_t first = byte(0);
  char32_t code = first;
  size_t size = 1;
  if (first >= 0xF0) {
    code = (first & 7u) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
    size = 4;
  } else if (first >= 0xE0) {
    code = (first & 15u) << 12 | tail(1) << 6 | tail(2);
    size = 3;
  } else if (first >= 0x80) {
    code = (first & 31u) << 6 | tail(1);
    size = 2;
  }
  at += size;
  return code;
}

inline bool continues_code_point(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

// The start of the code point that ends before text[at], at > 0.
inline size_t previous_boundary(std::string_view text, size_t at) {
  do --at;
  while (at > 0 && continues_code_point(text[at]));
  return at;
}

void append_utf8(std::string& text, char32_t code);
std::string to_utf8(char32_t code);

// The bytes from the start of text that are valid UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF).
size_t valid_utf8_prefix(std::string_view text);
inline bool is_valid_utf8(std::string_view text) { return valid_utf8_prefix(text) == text.size(); }
// Each longest beginning of a code point that does not go on becomes one U+FFFD, as Python's bytes.decode(errors=
// "replace") and Rust's from_utf8_lossy do (the Unicode standard, section 3.9, "substitution of maximal subparts").
std::string replace_invalid_utf8(std::string_view text);

}  // namespace detent
