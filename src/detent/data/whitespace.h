// White space as Python's str.strip() and re's \s see it: chat templates and evaluation harnesses are written in it.
#pragma once
#include <cstdint>
#include <string_view>

namespace detent {

// Text is UTF-8; a byte that is none counts as no white space.
std::string_view strip_right(std::string_view text);
std::string_view strip(std::string_view text);
// How many pieces re.split(r"\s+", text) has: the runs of white space and one.
int64_t count_words(std::string_view text);

}  // namespace detent
