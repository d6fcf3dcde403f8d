// Regular expressions as tokenizer.json has them, in the words of PCRE2.
#pragma once
#include <string>
#include <string_view>

namespace detent {

// tokenizer.json's expressions are Oniguruma's, in its Ruby syntax over Unicode 16; PCRE2 differs in what \s, \w, \b, ^
// and $ mean and knows an older Unicode. Every class becomes explicit ranges of code points and every anchor a look
// around, so that the result means the same everywhere. Taken: literals, escapes of them, . and classes (ranges, \s \d
// \w \p{..} and their opposites), groups that are never referred to, (?i:..), look ahead and behind, atomic groups,
// greedy, lazy and possessive repeats. Fails on anything else, naming it; source begins the sentence.
std::string to_pcre2(std::string_view pattern, std::string_view source);

}  // namespace detent
