#include "detent/import/gguf_tokenizer.h"

#include <algorithm>
#include <utility>

#include "detent/base/error.h"
#include "detent/base/json.h"

namespace detent {

namespace {

constexpr const char *kModel = "tokenizer.ggml.model", *kTokens = "tokenizer.ggml.tokens",
                     *kScores = "tokenizer.ggml.scores", *kTypes = "tokenizer.ggml.token_type",
                     *kMerges = "tokenizer.ggml.merges", *kPre = "tokenizer.ggml.pre",
                     *kBos = "tokenizer.ggml.bos_token_id", *kEos = "tokenizer.ggml.eos_token_id",
                     *kUnknown = "tokenizer.ggml.unknown_token_id", *kPadding = "tokenizer.ggml.padding_token_id",
                     *kAddBos = "tokenizer.ggml.add_bos_token", *kAddEos = "tokenizer.ggml.add_eos_token",
                     *kAddSpace = "tokenizer.ggml.add_space_prefix", *kTemplate = "tokenizer.chat_template";
constexpr const char *kNoVocabulary = "no_vocab", *kSentencepiece = "llama", *kByteLevel = "gpt2";

// llama.cpp's name for a way of cutting text, and ours. Without merges nothing is cut, and any name will do.
struct PreName {
  const char *gguf, *split;
};
constexpr PreName kPreNames[] = {{"gpt-2", "gpt2"}, {"llama-bpe", "llama3"}, {"qwen2", "qwen2"}, {"smollm", "smollm"}};
constexpr const char* kAnyPre = "default";

std::string pre_of(const Vocabulary& vocabulary) {
  if (vocabulary.merges.empty()) return kAnyPre;
  for (const PreName& name : kPreNames)
    if (vocabulary.split == name.split) return name.gguf;
  fail("[export] llama.cpp has no name for the way the tokenizer cuts text{}; use --to safetensors:dequantized",
       vocabulary.split.empty() ? "" : " (" + vocabulary.split + ")");
}

// A table of embeddings with more rows than there are tokens is padding, and so is an id that no token has.
void pad(Vocabulary& vocabulary, int64_t vocab_size) {
  const auto size = static_cast<size_t>(vocab_size);
  vocabulary.tokens.resize(size);
  vocabulary.types.resize(size, TokenType::kUnused);
  if (!vocabulary.scores.empty()) vocabulary.scores.resize(size);
  for (size_t id = 0; id < size; ++id) {
    if (!vocabulary.tokens[id].empty()) continue;
    vocabulary.tokens[id] = fmt::format("[PAD{}]", id);
    vocabulary.types[id] = TokenType::kUnused;
  }
}

std::vector<int32_t> type_numbers(const Vocabulary& vocabulary) {
  std::vector<int32_t> numbers;
  for (const TokenType type : vocabulary.types) numbers.push_back(static_cast<int32_t>(type));
  return numbers;
}

template <class T>
T value_or(const io::GgufReader& file, const char* key, T fallback) {
  return file.find_value(key) ? file.get<T>(key) : fallback;
}

std::optional<int32_t> id_at(const io::GgufReader& file, const char* key) {
  if (!file.find_value(key)) return std::nullopt;
  return static_cast<int32_t>(file.get<uint32_t>(key));
}

std::vector<TokenType> read_types(const io::GgufReader& file, size_t count, const std::string& source) {
  std::vector<TokenType> types;
  if (!file.find_value(kTypes)) return std::vector<TokenType>(count, TokenType::kNormal);
  for (const int32_t number : file.get<std::vector<int32_t>>(kTypes)) {
    if (number < static_cast<int32_t>(TokenType::kNormal) || number > static_cast<int32_t>(TokenType::kByte))
      fail("{}: {} has the type {}, expected 1 to 6", source, kTypes, number);
    types.push_back(static_cast<TokenType>(number));
  }
  return types;
}

std::string split_of(const std::string& pre, bool has_merges, const std::string& source) {
  if (!has_merges) return "";
  for (const PreName& name : kPreNames)
    if (pre == name.gguf) return name.split;
  std::vector<const char*> known;
  for (const PreName& name : kPreNames) known.push_back(name.gguf);
  fail("{}: {} = {} is a way of cutting text that is not handled; known: {}", source, kPre, pre,
       fmt::join(known, ", "));
}

bool is_byte_tokenizer(const Vocabulary& vocabulary) {
  const std::vector<std::string> bytes = byte_tokenizer()->vocabulary().tokens;
  return vocabulary.kind == VocabularyKind::kByteLevel && vocabulary.merges.empty() &&
         vocabulary.tokens.size() >= bytes.size() && std::equal(bytes.begin(), bytes.end(), vocabulary.tokens.begin());
}

std::unique_ptr<Tokenizer> tokenizer_of(const TokenizerParts& parts, const std::string& source) {
  if (is_byte_tokenizer(parts.vocabulary)) return byte_tokenizer();
  return tokenizer_of_parts(parts, source);
}

// Texts that ways of normalizing, cutting and merging tell apart. None begins with a space: before it, llama.cpp puts
// another, as sentencepiece does, and Metaspace does not.
constexpr const char* kProbes[] = {"a",
                                   "two  spaces\t\ttabs\n\n\nlines\r\n",
                                   "The quick brown fox's den; they'LL run 1234567 times, don't WE?",
                                   "e\u0301 \u00e9 \ufb01 \u2460 \u01c5 \uff21 \u00bd\u2167 Stra\u00dfe",
                                   "def f(x):\n    return x**2 != 10_000  # (why) [not] {so}...",
                                   "\u6f22\u5b57\u304b\u306a\u3001\ud55c\uad6d\uc5b4 \u0645\u0631\u062d\u0628\u0627 "
                                   "\u041f\u0440\u0438\u0432\u0435\u0442",
                                   "\U0001F469\u200D\U0001F467\U0001F3FD http://www.example.com/?a=1&b=%20"};

// A GGUF file says less of a tokenizer than its own files do; what it says must give the ids that the model learned
// from.
void check_ids(const Tokenizer& tokenizer, const Vocabulary& vocabulary) {
  const auto read_back = tokenizer_of({.vocabulary = vocabulary}, tokenizer.name());
  for (const char* text : kProbes)
    if (read_back->encode_as_text(text) != tokenizer.encode_as_text(text))
      fail("[export] a GGUF file cannot say how the tokenizer {} reads {}; use --to safetensors:dequantized",
           tokenizer.name(), in_quotes(text));
}

}  // namespace

std::vector<io::GgufKeyValue> tokenizer_metadata(const Tokenizer* tokenizer, int64_t vocab_size) {
  if (!tokenizer) return {{kModel, std::string(kNoVocabulary)}};
  Vocabulary vocabulary = tokenizer->vocabulary();
  if (static_cast<int64_t>(vocabulary.tokens.size()) > vocab_size)
    fail("[export] the tokenizer has {} tokens, the model only {}; give the model's own tokenizer",
         vocabulary.tokens.size(), vocab_size);
  if (vocabulary.kind == VocabularyKind::kUnigram)
    fail("[export] a unigram tokenizer cannot be put into a GGUF file for llama; use --to safetensors:dequantized");
  const bool byte_level = vocabulary.kind == VocabularyKind::kByteLevel;
  const std::string pre = byte_level ? pre_of(vocabulary) : kAnyPre;
  if (std::exchange(vocabulary.plain_spaces, false))
    for (std::string& token : vocabulary.tokens) token = with_visible_spaces(token);
  pad(vocabulary, vocab_size);
  check_ids(*tokenizer, vocabulary);
  // In llama.cpp's terms a byte tokenizer is GPT-2's byte-level BPE without a single merge.
  std::vector<io::GgufKeyValue> values = {{kModel, std::string(byte_level ? kByteLevel : kSentencepiece)},
                                          {kPre, pre},
                                          {kTokens, vocabulary.tokens},
                                          {kTypes, type_numbers(vocabulary)}};
  if (byte_level) {
    values.emplace_back(kMerges, vocabulary.merges);
  } else {
    values.emplace_back(kScores, vocabulary.scores);
    values.emplace_back(kAddSpace, vocabulary.add_prefix_space);
  }
  const auto put_id = [&](const char* key, std::optional<int32_t> id) {
    if (id) values.emplace_back(key, static_cast<uint32_t>(*id));
  };
  put_id(kBos, tokenizer->bos());
  put_id(kEos, tokenizer->eos());
  put_id(kUnknown, vocabulary.unknown);
  put_id(kPadding, vocabulary.padding);
  values.emplace_back(kAddBos, tokenizer->bos().has_value());
  return values;
}

std::optional<TokenizerParts> read_gguf_tokenizer(const io::GgufReader& file, const std::string& source) {
  const std::string model = value_or<std::string>(file, kModel, kNoVocabulary);
  if (model == kNoVocabulary) return std::nullopt;
  const bool byte_level = model == kByteLevel;
  if (!byte_level && model != kSentencepiece)
    fail("{}: a tokenizer of kind {} is not handled, only {} and {}", source, model, kSentencepiece, kByteLevel);
  // What llama.cpp takes for granted where a sentencepiece vocabulary does not say.
  const auto id = [&](const char* key, int32_t usual) {
    const auto given = id_at(file, key);
    return given || byte_level ? given : std::optional(usual);
  };
  TokenizerParts parts{.bos = id(kBos, 1), .eos = id(kEos, 2)};
  Vocabulary& v = parts.vocabulary;
  v.kind = byte_level ? VocabularyKind::kByteLevel : VocabularyKind::kSentencepiece;
  v.tokens = file.get<std::vector<std::string>>(kTokens);
  v.types = read_types(file, v.tokens.size(), source);
  v.unknown = id(kUnknown, 0);
  v.padding = id_at(file, kPadding);
  parts.add_bos = value_or(file, kAddBos, !byte_level);
  parts.add_eos = value_or(file, kAddEos, false);
  parts.chat_template = value_or<std::string>(file, kTemplate, "");
  if (byte_level) {
    v.merges = value_or<std::vector<std::string>>(file, kMerges, {});
    v.split = split_of(value_or<std::string>(file, kPre, kAnyPre), !v.merges.empty(), source);
  } else {
    v.scores = file.get<std::vector<float>>(kScores);
    v.add_prefix_space = value_or(file, kAddSpace, true);
  }
  if (v.types.size() != v.tokens.size() || (!byte_level && v.scores.size() != v.tokens.size()))
    fail("{}: the tokenizer has {} tokens, {} types and {} scores", source, v.tokens.size(), v.types.size(),
         v.scores.size());
  return parts;
}

std::unique_ptr<Tokenizer> tokenizer_from_gguf(const io::GgufReader& file, const std::string& source) {
  const auto parts = read_gguf_tokenizer(file, source);
  if (!parts) fail("{}: the file holds no tokenizer; export from a folder that has one", source);
  return tokenizer_of(*parts, source);
}

}  // namespace detent
