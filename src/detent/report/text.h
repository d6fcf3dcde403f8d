// Text that ends up in a page, a chart or a terminal: escaping, widths and the spelling of numbers.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace detent::report {

// Safe inside HTML and XML, in text and in quoted attributes. Bytes that are no UTF-8 and control characters (an XML
// reader refuses both) become U+FFFD.
std::string escape(std::string_view text);
// Safe inside one cell of a Markdown table.
std::string escape_markdown(std::string_view text);

// Columns on a terminal: one a code point, which holds for every character used here.
size_t display_width(std::string_view text);
std::string pad(std::string_view text, size_t width, bool right);

// Numbers. NaN stands for "no value" and is spelled as a dash.
inline constexpr const char* kNoValue = "–";
std::string fixed(double value, int digits);
std::string signed_fixed(double value, int digits);
std::string percent(double share);    // 0.853 -> "85.3%"
std::string count(double value);      // 12345 -> "12.3k"
std::string byte_size(double bytes);  // 1536 -> "1.5 KiB"

}  // namespace detent::report
