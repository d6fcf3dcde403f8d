#include "detent/import/tokenizer_json.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/data/tokenizer/known_patterns.h"
#include "detent/io/atomic_file.h"

namespace detent {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSpace = "\u2581";  // sentencepiece's spelling of a space

const char* space_of(const Vocabulary& vocabulary) { return vocabulary.plain_spaces ? " " : kSpace; }

Json added_token(const std::string& content, bool special) {
  return {{"content", content}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false},    {"normalized", false},  {"special", special}};
}

bool is_added(TokenType type) {
  return type == TokenType::kUnknown || type == TokenType::kControl || type == TokenType::kUserDefined;
}

Json added_tokens(const Vocabulary& vocabulary) {
  Json all = Json::array();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (!is_added(vocabulary.types[id])) continue;
    Json token = {{"id", id}};
    token.update(added_token(vocabulary.tokens[id], vocabulary.types[id] != TokenType::kUserDefined));
    all.push_back(token);
  }
  return all;
}

Json vocabulary_json(const Vocabulary& vocabulary, const std::string& source) {
  Json ids = Json::object();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::string& token = vocabulary.tokens[id];
    if (ids.contains(token))
      fail("{}: tokens {} and {} are both {}, which tokenizer.json cannot express", source, ids[token].get<size_t>(),
           id, in_quotes(token));
    ids[token] = id;
  }
  return ids;
}

// "left right" each; byte-level tokens hold no space.
std::pair<std::string, std::string> split_merge(const std::string& merge, const std::string& source) {
  const size_t space = merge.find(' ');
  if (space == merge.npos || space == 0 || space + 1 == merge.size() || merge.find(' ', space + 1) != merge.npos)
    fail("{}: the merge {} is not two tokens", source, in_quotes(merge));
  return {merge.substr(0, space), merge.substr(space + 1)};
}

Json merges_json(const Vocabulary& vocabulary, const std::string& source) {
  Json all = Json::array();
  if (vocabulary.kind == VocabularyKind::kByteLevel)
    for (const std::string& merge : vocabulary.merges) {
      const auto [left, right] = split_merge(merge, source);
      all.push_back({left, right});
    }
  else
    for (const auto& [left, right] : merges_of_scores(vocabulary)) all.push_back({left, right});
  return all;
}

// "<0x00>" to "<0xFF>", in any place.
bool has_every_byte(const Vocabulary& vocabulary) {
  return std::count(vocabulary.types.begin(), vocabulary.types.end(), TokenType::kByte) == 256;
}

Json model_json(const Vocabulary& vocabulary, const std::string& source) {
  const auto unknown = vocabulary.unknown;
  const bool sentencepiece = vocabulary.kind == VocabularyKind::kSentencepiece;
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", sentencepiece && unknown ? Json(vocabulary.tokens.at(*unknown)) : Json()},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", sentencepiece},
          {"byte_fallback", sentencepiece && has_every_byte(vocabulary)},
          {"ignore_merges", vocabulary.split == "llama3"},
          {"vocab", vocabulary_json(vocabulary, source)},
          {"merges", merges_json(vocabulary, source)}};
}

Json replace(const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json sequence(const char* key, const Json& parts) { return {{"type", "Sequence"}, {key, parts}}; }

Json normalizer(const Vocabulary& vocabulary) {
  if (vocabulary.kind == VocabularyKind::kByteLevel)
    return vocabulary.split == "qwen2" ? Json{{"type", "NFC"}} : Json();
  Json steps = Json::array();
  if (vocabulary.add_prefix_space) steps.push_back({{"type", "Prepend"}, {"prepend", space_of(vocabulary)}});
  if (!vocabulary.plain_spaces) steps.push_back(replace(" ", kSpace));
  return sequence("normalizers", steps);
}

Json pre_tokenizer(const Vocabulary& vocabulary, const std::string& source) {
  if (vocabulary.kind == VocabularyKind::kSentencepiece) return nullptr;
  if (vocabulary.split.empty()) return byte_level(false);
  if (vocabulary.split == "gpt2") return byte_level(true);
  if (vocabulary.split == "smollm")
    return sequence("pretokenizers", {{{"type", "Digits"}, {"individual_digits", true}}, byte_level(true)});
  for (const KnownPattern& known : known_patterns())
    if (known.name == vocabulary.split)
      return sequence(
          "pretokenizers",
          {{{"type", "Split"}, {"pattern", {{"Regex", known.text}}}, {"behavior", "Isolated"}, {"invert", false}},
           byte_level(false)});
  fail("{}: the way of cutting text called {} has no known pattern", source, vocabulary.split);
}

Json decoder(const Vocabulary& vocabulary) {
  if (vocabulary.kind == VocabularyKind::kByteLevel) return byte_level(true);
  Json steps = {{{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  if (!vocabulary.plain_spaces) steps.insert(steps.begin(), replace(kSpace, " "));
  if (vocabulary.add_prefix_space) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return sequence("decoders", steps);
}

Json special_piece(const std::string& token, int type_id) {
  return {{"SpecialToken", {{"id", token}, {"type_id", type_id}}}};
}

Json post_processor(const TokenizerParts& parts) {
  const auto& tokens = parts.vocabulary.tokens;
  Json single = Json::array(), pair = Json::array(), special = Json::object();
  const auto add_special = [&](Json& list, std::optional<int32_t> id, int type_id) {
    const std::string& token = tokens.at(id.value());
    list.push_back(special_piece(token, type_id));
    special[token] = {{"id", token}, {"ids", {*id}}, {"tokens", {token}}};
  };
  const auto add_sequence = [&](Json& list, const char* name, int type_id) {
    if (parts.add_bos) add_special(list, parts.bos, type_id);
    list.push_back({{"Sequence", {{"id", name}, {"type_id", type_id}}}});
    if (parts.add_eos) add_special(list, parts.eos, type_id);
  };
  if (!parts.add_bos && !parts.add_eos) return nullptr;
  add_sequence(single, "A", 0);
  add_sequence(pair, "A", 0);
  add_sequence(pair, "B", 1);
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", special}};
}

Json named_specials(const TokenizerParts& parts) {
  Json named = Json::object();
  const auto put = [&](const char* key, std::optional<int32_t> id) {
    if (id) named[key] = parts.vocabulary.tokens.at(*id);
  };
  put("bos_token", parts.bos);
  put("eos_token", parts.eos);
  put("unk_token", parts.vocabulary.unknown);
  put("pad_token", parts.vocabulary.padding);
  return named;
}

Json tokenizer_config(const TokenizerParts& parts) {
  Json decoder = Json::object();
  for (const Json& token : added_tokens(parts.vocabulary))
    decoder[std::to_string(token["id"].get<int>())] = added_token(token["content"], token["special"]);
  Json config = {{"added_tokens_decoder", decoder},
                 {"clean_up_tokenization_spaces", false},
                 {"tokenizer_class", "PreTrainedTokenizerFast"}};
  config.update(named_specials(parts));
  if (!parts.chat_template.empty()) config["chat_template"] = parts.chat_template;
  return config;
}

void check_parts(const TokenizerParts& parts, const std::string& source) {
  const Vocabulary& v = parts.vocabulary;
  if (v.kind == VocabularyKind::kUnigram) fail("{}: unigram vocabularies are not converted", source);
  const auto check_id = [&](const char* what, std::optional<int32_t> id, bool needed) {
    if (needed && !id)
      fail("{}: the tokenizer adds a {} to every text but does not say which token it is", source, what);
    if (id && (*id < 0 || static_cast<size_t>(*id) >= v.tokens.size()))
      fail("{}: the {} is token {}, of {}", source, what, *id, v.tokens.size());
  };
  check_id("BOS", parts.bos, parts.add_bos);
  check_id("EOS", parts.eos, parts.add_eos);
  check_id("unknown token", v.unknown, false);
  check_id("padding token", v.padding, false);
}

void write_json(const std::filesystem::path& path, const Json& json) {
  io::write_file_atomically(path, json.dump(2) + "\n");
}

}  // namespace

std::vector<std::pair<std::string, std::string>> merges_of_scores(const Vocabulary& vocabulary) {
  std::unordered_map<std::string_view, int32_t> ids;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id)
    if (vocabulary.types[id] == TokenType::kNormal) ids[vocabulary.tokens[id]] = static_cast<int32_t>(id);
  std::vector<std::tuple<float, int32_t, int32_t>> found;
  for (const auto& [token, id] : ids)
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const auto left = ids.find(token.substr(0, cut)), right = ids.find(token.substr(cut));
      if (left != ids.end() && right != ids.end())
        found.push_back({-vocabulary.scores[id], left->second, right->second});
    }
  std::sort(found.begin(), found.end());
  std::vector<std::pair<std::string, std::string>> merges;
  for (const auto& [score, left, right] : found) merges.emplace_back(vocabulary.tokens[left], vocabulary.tokens[right]);
  return merges;
}

Json tokenizer_json(const TokenizerParts& parts, const std::string& source) {
  check_parts(parts, source);
  const Vocabulary& vocabulary = parts.vocabulary;
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added_tokens(vocabulary)},
          {"normalizer", normalizer(vocabulary)},
          {"pre_tokenizer", pre_tokenizer(vocabulary, source)},
          {"post_processor", post_processor(parts)},
          {"decoder", decoder(vocabulary)},
          {"model", model_json(vocabulary, source)}};
}

void write_tokenizer_files(const TokenizerParts& parts, const std::filesystem::path& folder,
                           const std::string& source) {
  write_json(folder / "tokenizer.json", tokenizer_json(parts, source));
  write_json(folder / "tokenizer_config.json", tokenizer_config(parts));
  write_json(folder / "special_tokens_map.json", named_specials(parts));
}

namespace {

// What a tokenizer reads from files lives as long as it does, wherever they go.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "detent-tokenizer-XXXXXX").string();
    if (!::mkdtemp(name.data())) fail_machine("cannot make a folder beside {}", name);
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

std::unique_ptr<Tokenizer> tokenizer_of_parts(const TokenizerParts& parts, const std::string& source) {
  const ScratchFolder folder;
  write_tokenizer_files(parts, folder.path(), source);
  return load_tokenizer(folder.path().string());
}

}  // namespace detent
