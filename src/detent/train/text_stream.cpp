#include "detent/train/text_stream.h"

#include <algorithm>

#include "detent/data/tokenizer/utf8.h"

namespace detent {

namespace {

// Bytes of the character that `text` begins with; 0: none. RFC 3629, section 4: no overlong forms, no surrogates.
// `unfinished` tells whether more bytes could still make one.
size_t character(std::string_view text, bool& unfinished) {
  unfinished = false;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                        : (first & 0xF0) == 0xE0         ? 3
                        : first >= 0xF0 && first <= 0xF4 ? 4
                                                         : 0;
  for (size_t i = 1; i < length; ++i) {
    if (i == text.size()) {
      unfinished = true;
      return 0;
    }
    unsigned char low = 0x80, high = 0xBF;
    if (i == 1 && first == 0xE0) low = 0xA0;
    if (i == 1 && first == 0xED) high = 0x9F;
    if (i == 1 && first == 0xF0) low = 0x90;
    if (i == 1 && first == 0xF4) high = 0x8F;
    if (byte(i) < low || byte(i) > high) return 0;
  }
  return length;
}

// Bytes at the end of text that `stop` begins with.
size_t overlap(std::string_view text, std::string_view stop) {
  for (size_t n = std::min(text.size(), stop.empty() ? 0 : stop.size() - 1); n > 0; --n)
    if (text.ends_with(stop.substr(0, n))) return n;
  return 0;
}

}  // namespace

size_t unfinished_utf8(std::string_view text) {
  bool unfinished = false;
  for (size_t n = std::min<size_t>(3, text.size()); n > 0; --n)
    if (character(text.substr(text.size() - n), unfinished) == 0 && unfinished) return n;
  return 0;
}

std::string TextStream::take(size_t count) {
  const std::string text = replace_invalid_utf8(std::string_view(pending_).substr(0, count));
  pending_.erase(0, count);
  return text;
}

std::string TextStream::push(int32_t id) {
  if (stopped_) return {};
  pending_ += tokenizer_.piece(id);
  const size_t found = stop_.empty() ? pending_.npos : pending_.find(stop_);
  if (found != pending_.npos) {
    stopped_ = true;
    return take(found);
  }
  return take(pending_.size() - std::max(unfinished_utf8(pending_), overlap(pending_, stop_)));
}

std::string TextStream::finish() { return stopped_ ? std::string() : take(pending_.size()); }

}  // namespace detent
