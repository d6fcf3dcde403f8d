// Regular expressions over UTF-8, matched by PCRE2.
#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct pcre2_real_code_8;

namespace detent {

struct Match {
  size_t begin, end;
};

class Regex {
 public:
  // pattern in tokenizer.json's syntax (to_pcre2). Fails naming source when it is not one that can be taken.
  Regex(std::string_view pattern, std::string_view source);
  ~Regex();
  Regex(Regex&&) noexcept = default;
  Regex& operator=(Regex&&) noexcept = default;

  // The leftmost match that begins at from or behind; text is valid UTF-8 and from on a boundary. Threads may share it.
  // Fails when the pattern needs more steps or memory than PCRE2 allows.
  std::optional<Match> find(std::string_view text, size_t from) const;

 private:
  std::string pattern_, source_;
  std::unique_ptr<pcre2_real_code_8, void (*)(pcre2_real_code_8*)> code_;
};

}  // namespace detent
