#include "detent/data/tokenizer/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include "detent/base/error.h"
#include "detent/data/tokenizer/byte_spelling.h"
#include "detent/data/tokenizer/utf8.h"
#include "detent/io/bytes.h"

namespace detent {

namespace {

constexpr std::string_view kSpace = "▁";

class SentencepieceTokenizer : public Tokenizer {
 public:
  SentencepieceTokenizer(TokenizerFolder files, const std::string& name) : name_(name), files_(std::move(files)) {
    check(model_.LoadFromSerializedProto(io::as_text(files_.main())));
    bos_ = known(model_.bos_id());
    eos_ = known(model_.eos_id());
    if (const auto named = files_.special_token("eos_token", *this)) eos_ = named;
    add_bos_ = bos_ && files_.flag("add_bos_token").value_or(true);
    add_eos_ = eos_ && files_.flag("add_eos_token").value_or(false);
  }

  std::vector<int32_t> encode(std::string_view text) const override {
    std::string valid;
    if (!is_valid_utf8(text)) text = valid = replace_invalid_utf8(text);
    std::vector<int> ids;
    check(model_.Encode(text, &ids));
    return ids;
  }
  std::vector<int32_t> encode_with_special(std::string_view text) const override {
    std::vector<int32_t> ids = encode(text);
    if (add_bos_) ids.insert(ids.begin(), *bos_);
    if (add_eos_) ids.push_back(*eos_);
    return ids;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::vector<int> kept;
    for (const int32_t id : ids) {
      if (id < 0 || id >= vocab_size())
        fail("[tokenizer] there is no token {}: {} has {} ids", id, name_, vocab_size());
      if (!is_special(id)) kept.push_back(id);
    }
    std::string text;
    check(model_.Decode(kept, &text));
    return text;
  }
  std::string piece(int32_t id) const override;

  int64_t vocab_size() const override { return model_.GetPieceSize(); }
  std::optional<int32_t> token_id(std::string_view token) const override {
    const int id = model_.PieceToId(token);
    return id >= 0 && id < model_.GetPieceSize() && model_.IdToPiece(id) == token ? std::optional(id) : std::nullopt;
  }
  bool is_special(int32_t id) const override { return id >= 0 && id < vocab_size() && model_.IsControl(id); }
  std::optional<int32_t> bos() const override { return add_bos_ ? bos_ : std::nullopt; }
  std::optional<int32_t> eos() const override { return eos_; }
  Vocabulary vocabulary() const override;
  std::string name() const override { return name_; }
  std::string fingerprint() const override { return fmt::format("{}:{}", files_.fingerprint(), eos_.value_or(-1)); }
  void save(const std::string& folder) const override { files_.copy_to(folder, *this); }

 private:
  void check(const sentencepiece::util::Status& status) const {
    if (!status.ok()) fail("{}: {}", name_, status.ToString());
  }
  std::optional<int32_t> known(int id) const {
    return id >= 0 && id < model_.GetPieceSize() ? std::optional<int32_t>(id) : std::nullopt;
  }

  std::string name_;
  TokenizerFolder files_;
  sentencepiece::SentencePieceProcessor model_;
  std::optional<int32_t> bos_, eos_;
  bool add_bos_ = false, add_eos_ = false;
};

// The library would drop the space at the start, and shows U+FFFD for a byte that is no character.
std::string SentencepieceTokenizer::piece(int32_t id) const {
  if (id < 0 || id >= vocab_size() || is_special(id) || model_.IsUnknown(id)) return decode({&id, 1});
  const std::string& spelling = model_.IdToPiece(id);
  if (model_.IsByte(id))
    if (const auto byte = fallback_byte(spelling)) return {static_cast<char>(*byte)};
  std::string text;
  for (size_t at = 0; at < spelling.size();) {
    const bool space = std::string_view(spelling).substr(at).starts_with(kSpace);
    text += space ? ' ' : spelling[at];
    at += space ? kSpace.size() : 1;
  }
  return text;
}

Vocabulary SentencepieceTokenizer::vocabulary() const {
  Vocabulary result;
  result.kind = VocabularyKind::kSentencepiece;
  const std::vector<int32_t> letter = encode("a");
  result.add_prefix_space = !letter.empty() && model_.IdToPiece(letter[0]).starts_with(kSpace);
  result.unknown = known(model_.unk_id());
  result.padding = known(model_.pad_id());
  for (int id = 0; id < model_.GetPieceSize(); ++id) {
    result.tokens.push_back(model_.IdToPiece(id));
    result.scores.push_back(model_.GetScore(id));
    result.types.push_back(model_.IsUnknown(id)   ? TokenType::kUnknown
                           : model_.IsControl(id) ? TokenType::kControl
                           : model_.IsUnused(id)  ? TokenType::kUnused
                           : model_.IsByte(id)    ? TokenType::kByte
                                                  : TokenType::kNormal);
  }
  return result;
}

}  // namespace

std::unique_ptr<Tokenizer> sentencepiece_tokenizer(TokenizerFolder files, const std::string& name) {
  return std::make_unique<SentencepieceTokenizer>(std::move(files), name);
}

}  // namespace detent
