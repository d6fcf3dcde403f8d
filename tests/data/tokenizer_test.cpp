#include "detent/data/tokenizer.h"

#include <cstdlib>
#include <numeric>
#include <set>

#include "detent/base/json.h"
#include "tests/io/support.h"

namespace detent {
namespace {

using io::test::error_of;
using io::test::read_raw;
using io::test::TemporaryFolder;
using io::test::write_raw;
using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;

std::string every_byte() {
  std::string bytes(256, '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  return bytes;
}

TEST(ByteTokenizer, IdsAreTheBytes) {
  const auto tokenizer = byte_tokenizer();
  EXPECT_THAT(tokenizer->encode("aé"), ElementsAre(97, 0xC3, 0xA9));
  EXPECT_THAT(tokenizer->encode(""), ElementsAre());
  EXPECT_EQ(tokenizer->encode(kEndOfText).size(), kEndOfText.size()) << "text that spells a special token is text";
  EXPECT_EQ(tokenizer->vocab_size(), 257);
  EXPECT_EQ(tokenizer->end_of_text(), 256);
  EXPECT_FALSE(tokenizer->bos().has_value());
  EXPECT_EQ(tokenizer->eos(), 256);
}

TEST(ByteTokenizer, TokensAreFoundByTheirSpelling) {
  const auto tokenizer = byte_tokenizer();
  EXPECT_EQ(tokenizer->token_id(kEndOfText), 256);
  EXPECT_EQ(tokenizer->token_id("Ġ"), ' ');
  EXPECT_EQ(tokenizer->token_id("aa"), std::nullopt);
  EXPECT_TRUE(tokenizer->is_special(256));
  EXPECT_FALSE(tokenizer->is_special('a'));
  EXPECT_EQ(tokenizer->piece('a'), "a");
  EXPECT_EQ(tokenizer->vocabulary().types[256], TokenType::kControl);
  EXPECT_EQ(tokenizer->vocabulary().types['a'], TokenType::kNormal);
}

TEST(ByteTokenizer, AnyBytesComeBack) {
  const auto tokenizer = byte_tokenizer();
  for (const std::string& text : {every_byte(), "\xFF\xC3\0\x80 broken UTF-8 \xE2\x82"s, std::string()})
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
}

TEST(ByteTokenizer, SpecialTokensHaveNoBytesAndUnknownIdsAreRefused) {
  const auto tokenizer = byte_tokenizer();
  EXPECT_EQ(tokenizer->decode(std::vector<int32_t>{97, 256, 98}), "ab");
  for (const int32_t id : {-1, 257, INT32_MAX, INT32_MIN})
    EXPECT_THAT(error_of([&] { tokenizer->decode({&id, 1}); }), HasSubstr("there is no token"));
}

// Known spellings of GPT-2's vocab.json, where "!" is token 0 and a space is "Ġ".
TEST(ByteTokenizer, SpellsBytesAsGpt2) {
  EXPECT_EQ(gpt2_spelling('!'), "!");
  EXPECT_EQ(gpt2_spelling(' '), "Ġ");
  EXPECT_EQ(gpt2_spelling('\n'), "Ċ");
  EXPECT_EQ(gpt2_spelling(0), "Ā");
  EXPECT_EQ(gpt2_spelling(0x7F), "ġ");
  EXPECT_EQ(gpt2_spelling(0xA0), "ł");
  EXPECT_EQ(gpt2_spelling(0xAD), "Ń");
  EXPECT_EQ(gpt2_spelling(0xFF), "ÿ");
  const std::vector<std::string> strings = byte_tokenizer()->vocabulary().tokens;
  ASSERT_EQ(strings.size(), 257u);
  EXPECT_EQ(strings['A'], "A");
  EXPECT_EQ(strings[256], kEndOfText);
  EXPECT_EQ(std::set<std::string>(strings.begin(), strings.end()).size(), 257u);
}

TEST(TokenizerFiles, SavedFolderIsRecognised) {
  const TemporaryFolder folder;
  byte_tokenizer()->save(folder.path());
  EXPECT_THAT(io::test::names_in(folder.path()),
              ElementsAre("special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"));
  EXPECT_EQ(load_tokenizer(folder.path())->name(), "bytes");
}

// Each change gives other ids for some text, so none may pass as the byte tokenizer.
TEST(TokenizerFiles, OtherTokenizersAreNotTheByteTokenizer) {
  const TemporaryFolder folder;
  byte_tokenizer()->save(folder.path());
  const nlohmann::json saved = parse_json(read_raw(folder / "tokenizer.json"), "saved");
  const char* patches[] = {R"([{"op": "add", "path": "/model/merges/-", "value": "a b"}])",
                           R"([{"op": "replace", "path": "/model/type", "value": "WordPiece"}])",
                           R"([{"op": "replace", "path": "/model/vocab/a", "value": 98}])",
                           R"([{"op": "remove", "path": "/model/vocab/a"}])",
                           R"([{"op": "add", "path": "/model/vocab/aa", "value": 257}])",
                           R"([{"op": "replace", "path": "/normalizer", "value": {"type": "NFC"}}])",
                           R"([{"op": "replace", "path": "/post_processor", "value": {"type": "Sequence"}}])",
                           R"([{"op": "replace", "path": "/pre_tokenizer/add_prefix_space", "value": true}])",
                           R"([{"op": "replace", "path": "/pre_tokenizer", "value": null}])",
                           R"([{"op": "replace", "path": "/added_tokens/0/id", "value": 0}])",
                           R"([{"op": "remove", "path": "/added_tokens/0"}])",
                           R"([{"op": "replace", "path": "/added_tokens", "value": 3}])",
                           R"([{"op": "replace", "path": "/model", "value": []}])"};
  for (const char* patch : patches) {
    SCOPED_TRACE(patch);
    write_raw(folder / "tokenizer.json", saved.patch(nlohmann::json::parse(patch)).dump());
    try {
      EXPECT_NE(load_tokenizer(folder.path())->name(), "bytes");
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("tokenizer.json"));
    }
  }
}

TEST(TokenizerFiles, MissingAndBrokenFilesAreNamed) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { load_tokenizer(folder.path()); }), HasSubstr("tokenizer.json does not exist"));
  write_raw(folder / "tokenizer.json", "{");
  EXPECT_THAT(error_of([&] { load_tokenizer(folder.path()); }), HasSubstr("tokenizer.json: not valid JSON"));
  EXPECT_THAT(error_of([&] { byte_tokenizer()->save(folder / "missing"); }), HasSubstr("missing"));
}

TEST(MakeTokenizer, KnowsBytesAndPaths) {
  EXPECT_EQ(make_tokenizer("bytes")->name(), "bytes");
  EXPECT_THAT(error_of([] { make_tokenizer("models/tokenizer.json"); }), HasSubstr("no such file or folder"));
}

// transformers is the judge of the files; it also rewrites them, and detent must still know its own.
TEST(TokenizerFiles, TransformersGivesTheSameIds) {
  const char* chosen = std::getenv("DETENT_INTEROP_PYTHON");
  const std::string python = chosen ? chosen : DETENT_SOURCE_DIR "/.interop/bin/python";
  if (std::system(fmt::format("'{}' -c 'import transformers' 2>/dev/null", python).c_str()) != 0)
    GTEST_SKIP() << "no transformers at " << python << "; set DETENT_INTEROP_PYTHON";
  const TemporaryFolder folder;
  const TemporaryFolder rewritten;
  byte_tokenizer()->save(folder.path());
  const std::string command = fmt::format("'{}' '{}/tests/data/golden/check_tokenizer.py' '{}' '{}'", python,
                                          DETENT_SOURCE_DIR, folder.path().string(), rewritten.path().string());
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(load_tokenizer(rewritten.path())->name(), "bytes");
}

}  // namespace
}  // namespace detent
