// The text of HellaSwag (Zellers et al. 2019) as lm-evaluation-harness prepares it (tasks/hellaswag/utils.py).
#pragma once
#include <string>
#include <string_view>

namespace detent {

// Without what is left of WikiHow's markup: " [title]" becomes ". ", other [brackets] go, two spaces become one.
std::string hellaswag_text(std::string_view text);
// The first character in title case, all others in lower case (Python's str.capitalize(), by single characters).
std::string capitalized(std::string_view text);

}  // namespace detent
