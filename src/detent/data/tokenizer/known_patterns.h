// The patterns that today's models cut text with, matched by hand: several times as fast as any engine.
#pragma once
#include <memory>
#include <span>
#include <string_view>

#include "detent/data/tokenizer/finder.h"

namespace detent {

struct KnownPattern {
  std::string_view name;  // of the family that began with it
  std::string_view text;  // in tokenizer.json's syntax
};
std::span<const KnownPattern> known_patterns();

// GPT-2's, which the pre-tokenizer ByteLevel has built in.
extern const std::string_view kGpt2Pattern;
// \w+|[^\w\s]+ of the pre-tokenizer Whitespace, which is the crate regex's, whose \w also joins words at zero width
// joiners.
extern const std::string_view kWhitespacePattern;

// The same matches as Regex gives for pattern (tests/data/known_patterns_test.cpp binds the two); null when the pattern
// is not one of known_patterns().
std::unique_ptr<Finder> known_pattern(std::string_view pattern);

// Finder::cut_before of a pattern that PCRE2 matches, for some that models use.
Cut known_cut(std::string_view pattern, char space);

}  // namespace detent
