// Text from ids as they come, piece by piece, without ever cutting a character in two.
#pragma once
#include <string>
#include <vector>

#include "detent/data/tokenizer.h"

namespace detent {

class TextStream {
 public:
  // `stop`: text that ends the stream and is no part of it; empty: none.
  TextStream(const Tokenizer& tokenizer, std::string stop) : tokenizer_(tokenizer), stop_(std::move(stop)) {}

  // What can be shown after one more id: whole characters, and nothing that may turn out to begin `stop`.
  std::string push(int32_t id);
  std::string finish();  // the rest, when no more ids come
  bool stopped() const { return stopped_; }

 private:
  std::string take(size_t count);
  const Tokenizer& tokenizer_;
  std::string stop_, pending_;  // pending: decoded, not shown
  bool stopped_ = false;
};

// Bytes at the end of text that begin a character which the text does not finish: 0 to 3.
size_t unfinished_utf8(std::string_view text);

}  // namespace detent
