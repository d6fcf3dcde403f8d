#include "detent/import/llama2c_tokenizer.h"

#include <unordered_set>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/data/tokenizer/utf8.h"
#include "detent/io/llama2c.h"
#include "detent/io/mapped_file.h"

namespace detent {

namespace fs = std::filesystem;

namespace {

constexpr int32_t kUnknown = 0, kFirstByte = 3, kFirstText = kFirstByte + 256;

// The spellings of tokenizer.py, which sentencepiece has without the line feeds.
std::string expected_start(int32_t id) {
  constexpr const char* kSpecial[] = {"<unk>", "\n<s>\n", "\n</s>\n"};
  return id < kFirstByte ? kSpecial[id] : fmt::format("<0x{:02X}>", id - kFirstByte);
}
constexpr const char* kSpelling[] = {"<unk>", "<s>", "</s>"};

TokenType type_of(int32_t id) {
  if (id == kUnknown) return TokenType::kUnknown;
  if (id < kFirstByte) return TokenType::kControl;
  return id < kFirstText ? TokenType::kByte : TokenType::kNormal;
}

// run.c begins with characters and merges two tokens at a time. A token out of reach was another kind of piece in the
// sentencepiece model, which gave the ids that the checkpoint learned from.
void check_every_token_is_made(const Vocabulary& vocabulary, const std::string& source) {
  std::unordered_set<std::string> made;
  for (const auto& [left, right] : merges_of_scores(vocabulary)) made.insert(left + right);
  for (size_t id = kFirstText; id < vocabulary.tokens.size(); ++id) {
    const std::string& token = vocabulary.tokens[id];
    size_t end = 0;
    if (!token.empty()) next_code_point(token, end);
    if (end != token.size() && !made.contains(token))
      fail(
          "{}: token {} is {}, which no two tokens make, so run.c never gives it; export a BPE tokenizer without "
          "user-defined pieces",
          source, id, in_quotes(token));
  }
}

}  // namespace

TokenizerParts read_llama2c_tokenizer(const fs::path& path, int64_t vocab_size) {
  const io::MappedFile file(path);
  const io::Llama2cVocabulary read = io::parse_llama2c_tokenizer(file.bytes(), vocab_size, path.string());
  TokenizerParts parts{.bos = kLlama2cBos, .eos = kLlama2cEos, .add_bos = true};
  Vocabulary& vocabulary = parts.vocabulary;
  vocabulary.kind = VocabularyKind::kSentencepiece;
  vocabulary.scores = read.scores;
  vocabulary.add_prefix_space = vocabulary.plain_spaces = true;
  vocabulary.unknown = kUnknown;
  if (vocab_size < kFirstText)
    fail("{}: {} tokens leave no room for the 256 bytes that run.c falls back to", path.string(), vocab_size);
  for (int32_t id = 0; id < vocab_size; ++id) {
    const std::string& token = read.tokens[id];
    if (id < kFirstText && token != expected_start(id))
      fail("{}: token {} is {}, but run.c takes it for {}; write tokenizer.bin with a current tokenizer.py",
           path.string(), id, in_quotes(token), in_quotes(expected_start(id)));
    if (!is_valid_utf8(token)) fail("{}: token {} is not UTF-8", path.string(), id);
    vocabulary.tokens.push_back(id < kFirstByte ? kSpelling[id] : token);
    vocabulary.types.push_back(type_of(id));
  }
  check_every_token_is_made(vocabulary, path.string());
  return parts;
}

namespace {
int64_t vocab_size_of(const fs::path& checkpoint) {
  const io::MappedFile file(checkpoint);
  return io::parse_llama2c(file.bytes(), checkpoint.string()).shape.vocab_size;
}
}  // namespace

std::optional<fs::path> llama2c_tokenizer_beside(const fs::path& checkpoint) {
  for (const std::string& name : {std::string("tokenizer.bin"), fmt::format("tok{}.bin", vocab_size_of(checkpoint))})
    if (const fs::path path = checkpoint.parent_path() / name; fs::exists(path)) return path;
  return std::nullopt;
}

std::unique_ptr<Tokenizer> tokenizer_beside_llama2c(const fs::path& checkpoint) {
  const auto path = llama2c_tokenizer_beside(checkpoint);
  if (!path)
    fail(
        "{}: no tokenizer.bin lies beside this llama2.c checkpoint; put it there, or make a model folder with `detent "
        "convert {} --tokenizer FILE --out DIR`",
        checkpoint.string(), checkpoint.string());
  return tokenizer_of_parts(read_llama2c_tokenizer(*path, vocab_size_of(checkpoint)), path->string());
}

}  // namespace detent
