// The two ways in which vocabularies spell bytes.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace detent {

// Reads gpt2_spelling back: writes the bytes that spelling stands for into bytes; false when one of its characters
// spells no byte.
bool bytes_spelled(std::string_view spelling, std::string& bytes);

// The spelling "<0x0A>" of a byte in vocabularies made by sentencepiece.
std::string fallback_spelling(uint8_t byte);
// The byte that token is a spelling of, hexadecimal digits in capitals.
std::optional<uint8_t> fallback_byte(std::string_view token);

}  // namespace detent
