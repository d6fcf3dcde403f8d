#include "detent/report/text.h"

#include <fmt/format.h>

#include <cmath>

namespace detent::report {

namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// The length of a sequence from its first byte, 0 if no sequence starts so.
size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  return lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
}

// Overlong forms, surrogates and numbers above U+10FFFF show in the second byte.
bool second_byte_fits(unsigned char lead, unsigned char second) {
  if (lead == 0xE0) return second >= 0xA0;
  if (lead == 0xED) return second < 0xA0;
  if (lead == 0xF0) return second >= 0x90;
  return lead != 0xF4 || second < 0x90;
}

size_t valid_sequence(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t length = sequence_length(byte(at));
  if (length == 0 || at + length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i)
    if (!is_continuation(byte(at + i))) return 0;
  return length == 1 || second_byte_fits(byte(at), byte(at + 1)) ? length : 0;
}

void append_ascii(char c, std::string& out) {
  switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    case '\'':
      out += "&#39;";
      break;
    default:
      if ((c >= 0 && c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
        out += kReplacement;
      else
        out += c;
  }
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t length = valid_sequence(text, i);
    if (length == 0)
      out += kReplacement;
    else if (length == 1)
      append_ascii(text[i], out);
    else
      out += text.substr(i, length);
    i += length ? length : 1;
  }
  return out;
}

std::string escape_markdown(std::string_view text) {
  std::string out;
  for (const char c : escape(text)) {
    if (c == '|' || c == '\\' || c == '*' || c == '_' || c == '`' || c == '[' || c == ']') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (const char c : text) width += !is_continuation(static_cast<unsigned char>(c));
  return width;
}

std::string pad(std::string_view text, size_t width, bool right) {
  const size_t used = display_width(text);
  const std::string blank(width > used ? width - used : 0, ' ');
  return right ? blank + std::string(text) : std::string(text) + blank;
}

std::string fixed(double value, int digits) {
  return std::isnan(value) ? kNoValue : fmt::format("{:.{}f}", value, digits);
}

std::string signed_fixed(double value, int digits) {
  return std::isnan(value) ? kNoValue : fmt::format("{:+.{}f}", value, digits);
}

std::string percent(double share) { return std::isnan(share) ? kNoValue : fmt::format("{:.1f}%", 100 * share); }

std::string count(double value) {
  if (std::isnan(value)) return kNoValue;
  if (std::fabs(value) >= 999.95e6) return fmt::format("{:.1f}G", value / 1e9);
  if (std::fabs(value) >= 999.95e3) return fmt::format("{:.1f}M", value / 1e6);
  if (std::fabs(value) >= 9999.5) return fmt::format("{:.1f}k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

std::string byte_size(double bytes) {
  if (std::isnan(bytes)) return kNoValue;
  if (bytes < 1024) return fmt::format("{:.0f} B", bytes);
  if (bytes < 1024. * 1024) return fmt::format("{:.1f} KiB", bytes / 1024);
  if (bytes < 1024. * 1024 * 1024) return fmt::format("{:.2f} MiB", bytes / (1024. * 1024));
  return fmt::format("{:.2f} GiB", bytes / (1024. * 1024 * 1024));
}

}  // namespace detent::report
