#include "detent/data/tokenizer/byte_spelling.h"

#include <fmt/format.h>

#include <array>

#include "detent/data/tokenizer.h"
#include "detent/data/tokenizer/utf8.h"

namespace detent {

namespace {

constexpr int kNone = -1;

bool prints_itself(int byte) { return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD); }

// [code point] the byte that it spells; every spelling lies below U+0144.
std::array<int, 0x144> read_back() {
  std::array<int, 0x144> bytes;
  bytes.fill(kNone);
  for (int byte = 0; byte < 256; ++byte) {
    size_t at = 0;
    bytes[next_code_point(gpt2_spelling(static_cast<uint8_t>(byte)), at)] = byte;
  }
  return bytes;
}

}  // namespace

std::string gpt2_spelling(uint8_t byte) {
  if (prints_itself(byte)) return to_utf8(byte);
  int others = 0;
  for (int below = 0; below < byte; ++below) others += !prints_itself(below);
  return to_utf8(static_cast<char32_t>(0x100 + others));
}

bool bytes_spelled(std::string_view spelling, std::string& bytes) {
  static const auto byte_of = read_back();
  bytes.clear();
  for (size_t at = 0; at < spelling.size();) {
    const char32_t code = next_code_point(spelling, at);
    if (code >= byte_of.size() || byte_of[code] == kNone) return false;
    bytes += static_cast<char>(byte_of[code]);
  }
  return true;
}

std::string fallback_spelling(uint8_t byte) { return fmt::format("<0x{:02X}>", byte); }

std::optional<uint8_t> fallback_byte(std::string_view token) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  const size_t high = kDigits.find(token[3]), low = kDigits.find(token[4]);
  if (high == kDigits.npos || low == kDigits.npos) return std::nullopt;
  return static_cast<uint8_t>(high * 16 + low);
}

}  // namespace detent
