#include "detent/data/tokenizer/normalizer.h"

#include <algorithm>

#include "detent/base/error.h"
#include "detent/data/tokenizer/unicode.h"
#include "detent/data/tokenizer/utf8.h"

namespace detent {

namespace {

constexpr size_t kMaxGrowth = 64;  // times as long, and a page

class PrependText : public Normalizer {
 public:
  explicit PrependText(std::string prefix) : prefix_(std::move(prefix)) {}
  void run(TextBuffer& text) const override {
    if (text.piece.text.empty() || text.piece.continues) return;
    (text.room() = prefix_) += text.piece.text;
    text.use_room();
  }
  bool can_cut_before(char) const override { return true; }

 private:
  std::string prefix_;
};

class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  void run(TextBuffer& text) const override {
    std::string_view rest = text.piece.text;
    size_t begin = 0;
    const bool left = left_ && !text.piece.continues;
    for (size_t at = 0; left && at < rest.size() && is_space(next_code_point(rest, at));) begin = at;
    rest.remove_prefix(begin);
    while (right_ && !rest.empty()) {
      const size_t start = previous_boundary(rest, rest.size());
      size_t at = start;
      if (!is_space(next_code_point(rest, at))) break;
      rest = rest.substr(0, start);
    }
    if (begin > 0) text.piece.at_start = false;
    text.piece.text = rest;
  }
  bool can_cut_before(char) const override { return true; }

 private:
  bool is_space(char32_t code) const { return table_.is(code, kSpace); }
  const UnicodeTable& table_ = UnicodeTable::get();
  bool left_, right_;
};

class Replace : public Normalizer {
 public:
  Replace(std::unique_ptr<Finder> finder, std::string content)
      : finder_(std::move(finder)), content_(std::move(content)) {}

  void run(TextBuffer& text) const override {
    const std::string_view old = text.piece.text;
    if (old.empty()) return;
    std::optional<Match> match = finder_->next(old, 0);
    if (!match) return;
    std::string& made = text.room();
    made.clear();
    made.reserve(old.size() + old.size() / 4 + content_.size());
    if (match->begin == 0) text.piece.at_start = text.piece.at_start && first_stays(old.substr(0, match->end));
    size_t done = 0;
    for (size_t from = 0; match; match = finder_->next(old, from)) {
      const bool empty = match->begin == match->end;
      if (!(empty && match->end == done && done > 0)) {
        (made += old.substr(done, match->begin - done)) += content_;
        check_growth(made.size(), old.size());
        done = match->end;
      }
      from = match->end;
      if (!empty) continue;
      if (from == old.size()) break;
      next_code_point(old, from);
    }
    made += old.substr(done);
    text.use_room();
  }

  bool can_cut_before(char space) const override { return finder_->cut_before(space) != Cut::kUnknown; }

  static void check_growth(size_t size, size_t before) {
    if (size / kMaxGrowth > before + 64)
      fail("the tokenizer's normalizer makes a text more than {} times as long", kMaxGrowth);
  }

 private:
  // The library gives the first character of a replacement the place of the last one that it replaces.
  bool first_stays(std::string_view replaced) const {
    size_t at = 0;
    if (!replaced.empty()) next_code_point(replaced, at);
    return !content_.empty() && at == replaced.size();
  }

  std::unique_ptr<Finder> finder_;
  std::string content_;
};

}  // namespace

void TextBuffer::use_room() {
  piece.text = storage_[next_];
  next_ = 1 - next_;
}

std::unique_ptr<Normalizer> prepend(std::string prefix) { return std::make_unique<PrependText>(std::move(prefix)); }
std::unique_ptr<Normalizer> strip(bool left, bool right) { return std::make_unique<Strip>(left, right); }

std::unique_ptr<Normalizer> replace(std::string pattern, std::string content) {
  return std::make_unique<Replace>(find_string(std::move(pattern)), std::move(content));
}

std::unique_ptr<Normalizer> replace_matches(std::string_view pattern, std::string content, std::string_view source) {
  return std::make_unique<Replace>(find_regex(pattern, source), std::move(content));
}

void NormalizerChain::run(TextBuffer& text) const {
  const size_t before = text.piece.text.size();
  for (const auto& part : parts_) {
    part->run(text);
    Replace::check_growth(text.piece.text.size(), before);
  }
}

std::string NormalizerChain::of(std::string_view text) const {
  TextBuffer buffer(Piece{text, true, false});
  run(buffer);
  return std::string(buffer.piece.text);
}

bool NormalizerChain::can_cut_before(char space) const {
  return std::all_of(parts_.begin(), parts_.end(), [&](const auto& part) { return part->can_cut_before(space); });
}

}  // namespace detent
