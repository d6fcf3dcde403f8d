// What pre-tokenizers look for in a text.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "detent/data/tokenizer/regex.h"

namespace detent {

// What happens when a text is cut in two between an ASCII letter or digit and white space.
enum class Cut {
  kUnknown,      // the halves may have other matches
  kTransparent,  // they have the same, and none lay across
  kBoundary,     // and one ended or began there
};

class Finder {
 public:
  virtual ~Finder() = default;
  // The leftmost match that begins at from or behind; text is valid UTF-8 and from on a boundary.
  virtual std::optional<Match> next(std::string_view text, size_t from) const = 0;
  virtual Cut cut_before(char space) const { return Cut::kUnknown; }  // one of kSpaces
};

inline constexpr std::string_view kSpaces = " \n\r";

// A pattern in tokenizer.json's syntax: a known one is matched by hand (known_patterns.h), any other by PCRE2.
std::unique_ptr<Finder> find_pattern(std::string_view pattern, std::string_view source);
// By PCRE2 alone.
std::unique_ptr<Finder> find_regex(std::string_view pattern, std::string_view source);
std::unique_ptr<Finder> find_string(std::string text);  // not empty
// Each character with \p{N} by Unicode 17, which Rust's char::is_numeric has.
std::unique_ptr<Finder> find_digits();

}  // namespace detent
