// What happens to a text before it is cut: Unicode normalization, replacements, prefixes.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "detent/data/tokenizer/pre_tokenizer.h"

namespace detent {

// A text being changed: the piece as it stands and room for the next form of it.
class TextBuffer {
 public:
  explicit TextBuffer(const Piece& given) : piece(given) {}
  Piece piece;
  // A string to write the next form into; use(text) makes it the piece's.
  std::string& room() { return storage_[next_]; }
  void use_room();

 private:
  std::string storage_[2];
  int next_ = 0;
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void run(TextBuffer& text) const = 0;
  // Whether a text cut between an ASCII letter or digit and this white space is normalized alike in two halves.
  virtual bool can_cut_before(char space) const = 0;
};

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

std::unique_ptr<Normalizer> unicode_form(NormalForm form);  // unicode_form.cpp
std::unique_ptr<Normalizer> lowercase();                    // unicode_form.cpp
std::unique_ptr<Normalizer> prepend(std::string prefix);
std::unique_ptr<Normalizer> strip(bool left, bool right);
std::unique_ptr<Normalizer> replace(std::string pattern, std::string content);
std::unique_ptr<Normalizer> replace_matches(std::string_view pattern, std::string content, std::string_view source);

class NormalizerChain {
 public:
  void add(std::unique_ptr<Normalizer> part) { parts_.push_back(std::move(part)); }
  bool empty() const { return parts_.empty(); }
  size_t size() const { return parts_.size(); }
  // Fails when the parts make the text many times as long.
  void run(TextBuffer& text) const;
  std::string of(std::string_view text) const;
  bool can_cut_before(char space) const;

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

}  // namespace detent
