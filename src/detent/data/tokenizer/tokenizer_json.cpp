#include "detent/data/tokenizer/tokenizer_json.h"

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/data/tokenizer/bulk_json.h"
#include "detent/data/tokenizer/json_fields.h"

namespace detent {

namespace {

using nlohmann::json;

// Ids are rows of a table, so they may have gaps but not lie anywhere.
constexpr int64_t kMostGaps = 65536;

void check_id(std::string_view source, std::string_view token, int64_t id, size_t tokens) {
  const auto limit = static_cast<int64_t>(4 * tokens) + kMostGaps;
  if (id < 0 || id > limit)
    fail("{}: token {} has the id {}; with {} tokens, ids from 0 to {} make sense", source, in_quotes(token), id,
         tokens, limit);
}

TokenTable read_vocabulary(const BulkJson& bulk, std::string_view source) {
  TokenTable table;
  for (const BulkJson::Token& token : bulk.vocabulary) {
    const std::string_view spelling = bulk.text(token.spelling);
    check_id(source, spelling, token.id, bulk.vocabulary.size());
    switch (table.add(spelling, static_cast<int32_t>(token.id))) {
      case TokenTable::Added::kYes:
        break;
      case TokenTable::Added::kIdTaken:
        fail("{}: model.vocab gives the id {} to {} and to {}", source, token.id,
             in_quotes(table.spelling(static_cast<int32_t>(token.id))), in_quotes(spelling));
      case TokenTable::Added::kSpellingTaken:
        fail("{}: model.vocab has {} twice", source, in_quotes(spelling));
    }
  }
  return table;
}

std::vector<BpeParts::Merge> read_merges(const BulkJson& bulk, const TokenTable& table, std::string_view source) {
  std::vector<BpeParts::Merge> merges;
  merges.reserve(bulk.merges.size());
  std::string both;
  const auto id_of = [&](std::string_view token) {
    if (const auto id = table.find(token)) return *id;
    fail("{}: merge {} is about {}, which model.vocab does not have", source, merges.size(), in_quotes(token));
  };
  for (const BulkJson::Merge& merge : bulk.merges) {
    const std::string_view left = bulk.text(merge.left), right = bulk.text(merge.right);
    (both = left) += right;
    merges.push_back({id_of(left), id_of(right), id_of(both)});
  }
  return merges;
}

BpeParts read_model(const json& value, const BulkJson& bulk, std::string_view source) {
  JsonFields model(value, fmt::format("{}: model", source));
  // Files of old versions leave the type out.
  const std::string type = model.string("type", "BPE");
  if (type != "BPE")
    fail("{}: the model {} is not supported, only BPE; if the model's folder has a tokenizer.model, take that", source,
         in_quotes(type));
  if (!bulk.has_vocabulary || !bulk.has_merges) fail("{}: model needs both vocab and merges", source);
  model.ignore("vocab");
  model.ignore("merges");
  const json* dropout = model.find("dropout");
  if (dropout && !dropout->is_null() && *dropout != 0)
    fail("{}: model.dropout makes ids random; set it to null", source);
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const auto text = model.optional_string(affix); text && !text->empty())
      fail("{}: model.{} is not supported", source, affix);
  BpeParts parts;
  parts.vocabulary = read_vocabulary(bulk, source);
  parts.merges = read_merges(bulk, parts.vocabulary, source);
  parts.fuse_unknown = model.flag("fuse_unk", false);
  parts.byte_fallback = model.flag("byte_fallback", false);
  parts.ignore_merges = model.flag("ignore_merges", false);
  if (const auto unknown = model.optional_string("unk_token")) {
    parts.unknown = parts.vocabulary.find(*unknown);
    if (!parts.unknown) fail("{}: model.unk_token {} is not in model.vocab", source, in_quotes(*unknown));
  }
  model.finish();
  return parts;
}

AddedToken read_added_token(const json& value, std::string_view source, size_t number) {
  JsonFields fields(value, fmt::format("{}: added_tokens[{}]", source, number));
  AddedToken token;
  token.id = static_cast<int32_t>(fields.number("id", 0, INT32_MAX));
  token.content = fields.string("content");
  token.single_word = fields.flag("single_word");
  token.lstrip = fields.flag("lstrip");
  token.rstrip = fields.flag("rstrip");
  token.normalized = fields.flag("normalized");
  token.special = fields.flag("special");
  fields.finish();
  if (token.content.empty()) fail("{} is empty", fields.where());
  return token;
}

// The library does not take an added token's id from the file: it is that of the vocabulary, or counts on. A file where
// the two differ means ids that no model was trained with.
std::vector<AddedToken> read_added_tokens(const json& list, const TokenTable& vocabulary, std::string_view source) {
  std::vector<AddedToken> tokens;
  if (list.is_null()) return tokens;
  if (!list.is_array()) fail("{}: added_tokens is {}, expected a list", source, list.type_name());
  TokenTable names;
  auto next = static_cast<int64_t>(vocabulary.count());
  for (const json& value : list) {
    AddedToken token = read_added_token(value, source, tokens.size());
    const auto known = vocabulary.find(token.content);
    const int64_t expected = known ? *known : next++;
    if (token.id != expected)
      fail("{}: the added token {} has the id {}, where Hugging Face's library counts {}; correct the file", source,
           in_quotes(token.content), token.id, expected);
    if (names.add(token.content, token.id) != TokenTable::Added::kYes)
      fail("{}: the added token {} or its id {} appears twice", source, in_quotes(token.content), token.id);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace

TokenizerJson read_tokenizer_json(std::string_view text, std::string_view source) {
  BulkJson bulk = read_bulk_json(text, source);
  JsonFields file(bulk.rest, std::string(source));
  if (const std::string version = file.string("version", "1.0"); version != "1.0")
    fail("{}: version {} is not known, only 1.0", source, in_quotes(version));
  file.ignore("truncation");
  file.ignore("padding");
  TokenizerJson result;
  result.bpe = read_model(file.at("model"), bulk, source);
  const auto part = [&](const char* name) { return file.find(name) ? *file.find(name) : json(); };
  result.added_tokens = read_added_tokens(part("added_tokens"), result.bpe.vocabulary, source);
  result.normalizer = part("normalizer");
  result.pre_tokenizer = part("pre_tokenizer");
  result.post_processor = part("post_processor");
  result.decoder = part("decoder");
  file.finish();
  return result;
}

}  // namespace detent
