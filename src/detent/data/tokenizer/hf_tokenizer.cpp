#include "detent/data/tokenizer/hf_tokenizer.h"

#include <algorithm>
#include <unordered_set>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/data/tokenizer/byte_spelling.h"
#include "detent/data/tokenizer/components.h"
#include "detent/data/tokenizer/scratch_pool.h"
#include "detent/data/tokenizer/tokenizer_json.h"
#include "detent/data/tokenizer/utf8.h"
#include "detent/data/tokenizer_files.h"
#include "detent/io/bytes.h"

namespace detent {

namespace {

class Words : public PieceSink {
 public:
  Words(const Bpe& bpe, BpeScratch& scratch, std::vector<int32_t>& out) : bpe_(bpe), scratch_(scratch), out_(out) {}
  void take(const Piece& piece) override { bpe_.encode(piece.text, scratch_, out_); }

 private:
  const Bpe& bpe_;
  BpeScratch& scratch_;
  std::vector<int32_t>& out_;
};

BpeParts with_unit(BpeParts parts, bool byte_level) {
  parts.byte_level = byte_level;
  return parts;
}

class HfTokenizer : public Tokenizer {
 public:
  HfTokenizer(TokenizerJson file, const std::string& name, TokenizerFolder files)
      : name_(name),
        files_(std::move(files)),
        normalizers_(build_normalizers(file.normalizer, name)),
        pre_tokenizers_(build_pre_tokenizers(file.pre_tokenizer, name)),
        template_(build_template(file.post_processor, name)),
        decoder_(build_decoder(file.decoder, name)),
        bpe_(with_unit(std::move(file.bpe), pre_tokenizers_.byte_level)),
        added_tokens_(std::move(file.added_tokens)) {
    index_added_tokens();
    check_template();
    index_cuts();
    eos_ = files_.special_token("eos_token", *this);
  }

  std::vector<int32_t> encode(std::string_view text) const override { return encode_part(text, false, all_); }
  std::vector<int32_t> encode_next(std::string_view text) const override { return encode_part(text, true, all_); }
  std::vector<int32_t> encode_as_text(std::string_view text) const override {
    return encode_part(text, false, not_special_);
  }

  std::vector<int32_t> encode_with_special(std::string_view text) const override {
    std::vector<int32_t> ids = template_.before;
    const std::vector<int32_t> inside = encode(text);
    ids.insert(ids.end(), inside.begin(), inside.end());
    ids.insert(ids.end(), template_.after.begin(), template_.after.end());
    return ids;
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::vector<std::string> tokens;
    for (const int32_t id : ids) {
      if (!is_known(id)) fail("[tokenizer] there is no token {}: {} has {} ids", id, name_, vocab_size());
      if (!is_special(id)) tokens.emplace_back(spelling(id));
    }
    return decoder_.run(std::move(tokens));
  }

  std::string piece(int32_t id) const override {
    if (!is_known(id) || is_special(id)) return decode({&id, 1});
    // Behind a text that has begun, here one letter, which no decoder drops.
    std::string text = decoder_.run({"a", std::string(spelling(id))});
    if (!text.starts_with('a')) return decode({&id, 1});
    return text.substr(1);
  }

  size_t find_cut(std::string_view text, size_t from) const override;

  int64_t vocab_size() const override { return static_cast<int64_t>(end_); }
  std::optional<int32_t> token_id(std::string_view token) const override {
    for (const AddedToken& added : added_tokens_)
      if (added.content == token) return added.id;
    return bpe_.parts().vocabulary.find(token);
  }
  bool is_special(int32_t id) const override { return std::binary_search(special_.begin(), special_.end(), id); }
  std::optional<int32_t> bos() const override {
    return template_.before.empty() ? std::nullopt : std::optional(template_.before[0]);
  }
  std::optional<int32_t> eos() const override { return eos_; }
  Vocabulary vocabulary() const override;
  std::string name() const override { return name_; }
  std::string fingerprint() const override { return fmt::format("{}:{}", files_.fingerprint(), eos_.value_or(-1)); }
  void save(const std::string& folder) const override { files_.copy_to(folder, *this); }

 private:
  void index_added_tokens();
  void index_cuts();
  bool can_cut_between(char left, char space) const;
  std::string transformed(std::string_view text, bool at_start) const;  // what the model is given, in one piece
  void check_template() const;
  struct Matchers {
    AddedTokenMatcher in_text, in_normalized;
    bool add(const AddedToken& token, std::string_view spelling) {
      return (token.normalized ? in_normalized : in_text).add(spelling, token);
    }
  };
  void encode_segment(const Piece& segment, const Matchers& added, BpeScratch& scratch,
                      std::vector<int32_t>& out) const;
  std::vector<int32_t> encode_part(std::string_view text, bool continues, const Matchers& added) const;
  const AddedToken* added(int32_t id) const { return id < static_cast<int32_t>(by_id_.size()) ? by_id_[id] : nullptr; }
  bool is_known(int32_t id) const { return bpe_.parts().vocabulary.has(id) || (id >= 0 && added(id)); }
  // As decoders see it: an added token that is looked for in normalized text is normalized itself.
  std::string_view spelling(int32_t id) const {
    if (const AddedToken* token = added(id)) return normalized_[token - added_tokens_.data()];
    return bpe_.parts().vocabulary.spelling(id);
  }

  std::string name_;
  TokenizerFolder files_;
  NormalizerChain normalizers_;
  PreTokenizers pre_tokenizers_;
  Template template_;
  DecoderChain decoder_;
  Bpe bpe_;
  std::vector<AddedToken> added_tokens_;
  std::vector<std::string> normalized_;   // [added_tokens_]
  std::vector<const AddedToken*> by_id_;  // [end_] null: not an added one
  std::vector<int32_t> special_;          // ascending
  Matchers all_, not_special_;            // of the added tokens
  int32_t end_ = 0;
  std::optional<int32_t> eos_;
  static constexpr uint8_t kSpaceLimit = ' ' + 1;
  bool cuts_[128][kSpaceLimit] = {};  // whether a text can be cut between these two
  mutable ScratchPool<BpeScratch> scratch_;
};

void HfTokenizer::index_added_tokens() {
  end_ = bpe_.parts().vocabulary.end();
  for (const AddedToken& token : added_tokens_) end_ = std::max(end_, token.id + 1);
  by_id_.assign(added_tokens_.empty() ? 0 : end_, nullptr);
  std::unordered_set<std::string_view> special;
  for (const AddedToken& token : added_tokens_) {
    by_id_[token.id] = &token;
    normalized_.push_back(token.normalized ? normalizers_.of(token.content) : token.content);
    if (token.special) special.insert(token.content);
    if (normalized_.back().empty()) continue;  // there is nothing to look for
    if (!token.special) not_special_.add(token, normalized_.back());
    if (!all_.add(token, normalized_.back()))
      fail("{}: the added token {} cannot be told from another once it is normalized", name_, in_quotes(token.content));
  }
  // The library knows special tokens by what decoders see.
  for (int32_t id = 0; id < end_; ++id)
    if (is_known(id) && special.contains(spelling(id))) special_.push_back(id);
}

void HfTokenizer::check_template() const {
  for (const auto* ids : {&template_.before, &template_.after})
    for (const int32_t id : *ids)
      if (!is_known(id)) fail("{}: post_processor adds the id {}, which no token has", name_, id);
}

std::vector<int32_t> HfTokenizer::encode_part(std::string_view text, bool continues, const Matchers& added) const {
  std::string valid;
  if (!is_valid_utf8(text)) text = valid = replace_invalid_utf8(text);
  const ScratchPool<BpeScratch>::Lease scratch(scratch_);
  std::vector<int32_t> ids;
  added.in_text.split(text, [&](const AddedSpan& span) {
    if (span.id) return ids.push_back(*span.id);
    const bool first = span.begin == 0;
    encode_segment({text.substr(span.begin, span.end - span.begin), first && !continues, first && continues}, added,
                   *scratch, ids);
  });
  return ids;
}

void HfTokenizer::encode_segment(const Piece& segment, const Matchers& added, BpeScratch& scratch,
                                 std::vector<int32_t>& out) const {
  TextBuffer buffer(segment);
  normalizers_.run(buffer);
  const Piece& whole = buffer.piece;
  Words words(bpe_, scratch, out);
  added.in_normalized.split(whole.text, [&](const AddedSpan& span) {
    if (span.id) return out.push_back(*span.id);
    const bool first = span.begin == 0;
    pre_tokenizers_.chain.run(
        {whole.text.substr(span.begin, span.end - span.begin), first && whole.at_start, first && whole.continues},
        words);
  });
}

bool is_ascii_alphanumeric(char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'); }

// A text may be cut between an ASCII letter or digit and white space if no part of the tokenizer looks across.
bool HfTokenizer::can_cut_between(char left, char space) const {
  const Cut cut = pre_tokenizers_.chain.cut_before(space);
  if (cut == Cut::kUnknown || !normalizers_.can_cut_before(space)) return false;
  const std::string both{left, space};
  TextBuffer buffer(Piece{both, false, true});
  normalizers_.run(buffer);
  const char normalized = buffer.piece.text.empty() ? left : buffer.piece.text[0];
  if (!all_.in_text.can_cut_between(left, space) || !all_.in_normalized.can_cut_between(normalized, space))
    return false;
  if (cut == Cut::kBoundary) return true;
  return bpe_.can_cut_in(transformed(both, false));
}

std::string HfTokenizer::transformed(std::string_view text, bool at_start) const {
  struct Joined : PieceSink {
    void take(const Piece& piece) override { text += piece.text; }
    std::string text;
  } joined;
  TextBuffer buffer(Piece{text, at_start, !at_start});
  normalizers_.run(buffer);
  if (!buffer.piece.text.empty()) pre_tokenizers_.chain.run(buffer.piece, joined);
  return joined.text;
}

void HfTokenizer::index_cuts() {
  for (int left = 0; left < 128; ++left)
    for (const char space : kSpaces)
      if (is_ascii_alphanumeric(static_cast<char>(left)) && can_cut_between(static_cast<char>(left), space))
        cuts_[left][static_cast<uint8_t>(space)] = true;
}

size_t HfTokenizer::find_cut(std::string_view text, size_t from) const {
  for (size_t at = std::max<size_t>(from, 1); at < text.size(); ++at) {
    const auto left = static_cast<uint8_t>(text[at - 1]), space = static_cast<uint8_t>(text[at]);
    if (left < 128 && space < kSpaceLimit && cuts_[left][space]) return at;
  }
  return text.npos;
}

Vocabulary HfTokenizer::vocabulary() const {
  const BpeParts& parts = bpe_.parts();
  Vocabulary result;
  result.kind = parts.byte_level ? VocabularyKind::kByteLevel : VocabularyKind::kSentencepiece;
  result.split = pre_tokenizers_.split;
  const std::string letters = transformed("a b", true);
  result.add_prefix_space = !letters.starts_with('a');
  result.plain_spaces = letters.find(' ') != letters.npos && result.kind == VocabularyKind::kSentencepiece;
  result.unknown = parts.unknown;
  result.padding = files_.special_token("pad_token", *this);
  for (int32_t id = 0; id < end_; ++id) {
    const AddedToken* token = added(id);
    const bool is_byte =
        parts.byte_fallback && parts.vocabulary.has(id) && fallback_byte(parts.vocabulary.spelling(id)).has_value();
    result.tokens.emplace_back(token ? token->content : is_known(id) ? parts.vocabulary.spelling(id) : "");
    result.types.push_back(!is_known(id)             ? TokenType::kUnused
                           : id == parts.unknown     ? TokenType::kUnknown
                           : token && token->special ? TokenType::kControl
                           : token                   ? TokenType::kUserDefined
                           : is_byte                 ? TokenType::kByte
                                                     : TokenType::kNormal);
  }
  if (result.kind == VocabularyKind::kSentencepiece) result.scores.assign(end_, 0);
  for (size_t rank = parts.merges.size(); rank-- > 0 && !result.scores.empty();)
    result.scores[parts.merges[rank].result] = -static_cast<float>(rank);
  for (const BpeParts::Merge& merge : parts.merges)
    result.merges.push_back(
        fmt::format("{} {}", parts.vocabulary.spelling(merge.left), parts.vocabulary.spelling(merge.right)));
  return result;
}

}  // namespace

std::unique_ptr<Tokenizer> hf_tokenizer(TokenizerFolder files, const std::string& name) {
  TokenizerJson file = read_tokenizer_json(io::as_text(files.main()), name);
  std::unique_ptr<Tokenizer> bytes = byte_tokenizer();
  if (is_byte_level(file, *bytes)) return bytes;
  return std::make_unique<HfTokenizer>(std::move(file), name, std::move(files));
}

}  // namespace detent
