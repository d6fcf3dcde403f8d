#include "detent/base/error.h"
#include "detent/data/tokenizer.h"
#include "detent/data/tokenizer_files.h"

namespace detent {

namespace {

constexpr int32_t kEndOfTextId = 256;

class ByteTokenizer : public Tokenizer {
 public:
  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids(text.size());
    for (size_t i = 0; i < text.size(); ++i) ids[i] = static_cast<uint8_t>(text[i]);
    return ids;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::string text;
    for (const int32_t id : ids) {
      if (id < 0 || id > kEndOfTextId) fail("[tokenizer] there is no token {}: bytes has the ids 0 to 256", id);
      if (id < kEndOfTextId) text += static_cast<char>(id);
    }
    return text;
  }

  int64_t vocab_size() const override { return kEndOfTextId + 1; }
  int32_t end_of_text() const override { return kEndOfTextId; }
  std::optional<int32_t> bos() const override { return std::nullopt; }
  std::string name() const override { return "bytes"; }

  std::vector<std::string> token_strings() const override {
    std::vector<std::string> strings;
    strings.reserve(vocab_size());
    for (int byte = 0; byte < 256; ++byte) strings.push_back(gpt2_spelling(static_cast<uint8_t>(byte)));
    strings.emplace_back(kEndOfText);
    return strings;
  }

  void save(const std::string& folder) const override { save_byte_level(*this, folder); }
};

}  // namespace

std::unique_ptr<Tokenizer> byte_tokenizer() { return std::make_unique<ByteTokenizer>(); }

}  // namespace detent
