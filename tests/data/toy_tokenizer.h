// A tokenizer to calculate by hand with: ids 0 to 255 are bytes, then some longer pieces, taken greedily, then special
// tokens.
#pragma once
#include <algorithm>

#include "detent/base/error.h"
#include "detent/data/tokenizer.h"

namespace detent::test {

class ToyTokenizer : public Tokenizer {
 public:
  // bos and eos: special tokens, or "".
  ToyTokenizer(std::vector<std::string> pieces, std::vector<std::string> specials, std::string bos, std::string eos)
      : pieces_(std::move(pieces)), specials_(std::move(specials)), bos_(std::move(bos)), eos_(std::move(eos)) {}

  std::vector<int32_t> encode_as_text(std::string_view text) const override {
    std::vector<int32_t> ids;
    while (!text.empty()) {
      const auto piece = std::find_if(pieces_.begin(), pieces_.end(), [&](auto& p) { return text.starts_with(p); });
      const bool found = piece != pieces_.end();
      ids.push_back(found ? 256 + static_cast<int32_t>(piece - pieces_.begin()) : static_cast<uint8_t>(text[0]));
      text.remove_prefix(found ? piece->size() : 1);
    }
    return ids;
  }
  // Text that spells a special token is that token.
  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids;
    std::string plain;
    const auto flush = [&] {
      const std::vector<int32_t> more = encode_as_text(std::exchange(plain, {}));
      ids.insert(ids.end(), more.begin(), more.end());
    };
    while (!text.empty()) {
      const auto special =
          std::find_if(specials_.begin(), specials_.end(), [&](auto& s) { return text.starts_with(s); });
      if (special == specials_.end()) {
        plain += text[0];
        text.remove_prefix(1);
        continue;
      }
      flush();
      ids.push_back(*token_id(*special));
      text.remove_prefix(special->size());
    }
    flush();
    return ids;
  }
  std::string piece(int32_t id) const override {
    if (id < 0 || id >= vocab_size()) fail("[toy] no token {}", id);
    if (id < 256) return std::string(1, static_cast<char>(id));
    return is_special(id) ? "" : pieces_[id - 256];
  }
  std::string decode(std::span<const int32_t> ids) const override {
    std::string text;
    for (const int32_t id : ids) text += piece(id);
    return text;
  }
  int64_t vocab_size() const override { return 256 + static_cast<int64_t>(pieces_.size() + specials_.size()); }
  std::optional<int32_t> token_id(std::string_view token) const override {
    const auto found = std::find(specials_.begin(), specials_.end(), token);
    if (found == specials_.end()) return std::nullopt;
    return static_cast<int32_t>(256 + pieces_.size() + (found - specials_.begin()));
  }
  bool is_special(int32_t id) const override { return id >= 256 + static_cast<int32_t>(pieces_.size()); }
  std::optional<int32_t> bos() const override { return token_id(bos_); }
  std::optional<int32_t> eos() const override { return token_id(eos_); }
  Vocabulary vocabulary() const override { return {}; }
  std::string name() const override { return "toy"; }
  std::string fingerprint() const override { return "toy"; }
  void save(const std::string&) const override {}

 private:
  std::vector<std::string> pieces_, specials_;
  std::string bos_, eos_;
};

// ids as text, each special token as it is spelled.
inline std::string spelled(const ToyTokenizer& tokenizer, std::span<const int32_t> ids,
                           const std::vector<std::string>& specials) {
  std::string text;
  for (const int32_t id : ids) {
    const auto special = std::find_if(specials.begin(), specials.end(),
                                      [&](const std::string& s) { return tokenizer.token_id(s) == id; });
    text += special == specials.end() ? tokenizer.piece(id) : *special;
  }
  return text;
}

}  // namespace detent::test
