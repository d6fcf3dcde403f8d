#include <algorithm>

#include "detent/base/error.h"
#include "detent/data/tokenizer.h"
#include "detent/data/tokenizer_files.h"

namespace detent {

namespace {

constexpr int32_t kEndOfTextId = 256;

const std::vector<std::string>& spellings() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> made;
    for (int byte = 0; byte < 256; ++byte) made.push_back(gpt2_spelling(static_cast<uint8_t>(byte)));
    made.emplace_back(kEndOfText);
    return made;
  }();
  return all;
}

class ByteTokenizer : public Tokenizer {
 public:
  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids(text.size());
    for (size_t i = 0; i < text.size(); ++i) ids[i] = static_cast<uint8_t>(text[i]);
    return ids;
  }

  size_t find_cut(std::string_view text, size_t from) const override { return std::min(from, text.size()); }

  std::string decode(std::span<const int32_t> ids) const override {
    std::string text;
    for (const int32_t id : ids) {
      if (id < 0 || id > kEndOfTextId) fail("[tokenizer] there is no token {}: bytes has the ids 0 to 256", id);
      if (id < kEndOfTextId) text += static_cast<char>(id);
    }
    return text;
  }

  int64_t vocab_size() const override { return kEndOfTextId + 1; }
  std::optional<int32_t> token_id(std::string_view token) const override {
    const std::vector<std::string>& all = spellings();
    const auto found = std::find(all.begin(), all.end(), token);
    return found == all.end() ? std::nullopt : std::optional(static_cast<int32_t>(found - all.begin()));
  }
  bool is_special(int32_t id) const override { return id == kEndOfTextId; }
  std::optional<int32_t> bos() const override { return std::nullopt; }
  std::optional<int32_t> eos() const override { return kEndOfTextId; }

  Vocabulary vocabulary() const override {
    Vocabulary vocabulary;
    vocabulary.tokens = spellings();
    vocabulary.types.assign(vocabulary.tokens.size(), TokenType::kNormal);
    vocabulary.types[kEndOfTextId] = TokenType::kControl;
    return vocabulary;
  }

  std::string name() const override { return "bytes"; }
  std::string fingerprint() const override { return "bytes"; }
  void save(const std::string& folder) const override { save_byte_level(*this, folder); }
};

}  // namespace

std::unique_ptr<Tokenizer> byte_tokenizer() { return std::make_unique<ByteTokenizer>(); }

}  // namespace detent
