// Malformed and unknown tokenizer.json: one sentence that names the thing.
#include <gmock/gmock-more-matchers.h>

#include "detent/base/json.h"
#include "detent/data/tokenizer.h"
#include "tests/io/support.h"

namespace detent {
namespace {

using io::test::error_of;
using io::test::TemporaryFolder;
using io::test::write_raw;
using nlohmann::json;
using testing::HasSubstr;

const char* const kGood = R"({"version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [{"id": 3, "content": "<e>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                    "special": true}],
  "normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
  "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<e>", "type_id": 0}},
     {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {"<e>": {"id": "<e>", "ids": [3], "tokens": ["<e>"]}}},
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})";

struct BadFile {
  const char* patch;  // RFC 6902
  const char* message;
};

class BadTokenizer : public testing::TestWithParam<BadFile> {};

TEST_P(BadTokenizer, IsNamedInOneSentence) {
  const TemporaryFolder folder;
  json file = json::parse(kGood);
  write_raw(folder / "tokenizer.json", file.patch(json::parse(GetParam().patch)).dump());
  const std::string message = error_of([&] { load_tokenizer(folder.path()); });
  EXPECT_THAT(message, HasSubstr(GetParam().message));
  EXPECT_THAT(message, HasSubstr("tokenizer.json"));
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

#define REPLACE(path, value) R"([{"op": "replace", "path": ")" path R"(", "value": )" value "}]"
#define ADD(path, value) R"([{"op": "add", "path": ")" path R"(", "value": )" value "}]"

INSTANTIATE_TEST_SUITE_P(
    Files, BadTokenizer,
    testing::Values(
        BadFile{REPLACE("/version", "\"2.0\""), "version '2.0'"}, BadFile{ADD("/extra", "1"), "'extra'"},
        BadFile{REPLACE("/model", "[]"), "model is array"}, BadFile{REPLACE("/model/type", "\"Unigram\""), "'Unigram'"},
        BadFile{REPLACE("/model/type", "7"), "expected a string"},
        BadFile{REPLACE("/model/dropout", "0.1"), "model.dropout makes ids random"},
        BadFile{REPLACE("/model/unk_token", "\"zz\""), "'zz'"},
        BadFile{ADD("/model/continuing_subword_prefix", "\"##\""), "continuing_subword_prefix"},
        BadFile{ADD("/model/end_of_word_suffix", "\"</w>\""), "end_of_word_suffix"},
        BadFile{ADD("/model/byte_fallback", "\"yes\""), "byte_fallback"},
        BadFile{ADD("/model/something", "1"), "'something'"}, BadFile{REPLACE("/model/vocab/b", "0"), "id 0"},
        BadFile{REPLACE("/model/vocab/b", "-1"), "id -1"},
        BadFile{REPLACE("/model/vocab/b", "4000000000"), "4000000000"},
        BadFile{REPLACE("/model/vocab/b", "1.5"), "a fraction"},
        BadFile{REPLACE("/model/vocab/b", "\"1\""), "a string"}, BadFile{REPLACE("/model/vocab", "[]"), "model"},
        BadFile{REPLACE("/model/vocab/b", "{}"), "an object"}, BadFile{REPLACE("/model/merges", "[\"a c\"]"), "'c'"},
        BadFile{REPLACE("/model/merges", "[\"ab\"]"), "'ab'"}, BadFile{REPLACE("/model/merges", "[\"b a\"]"), "'ba'"},
        BadFile{REPLACE("/model/merges", "[[\"a\"]]"), "two tokens"},
        BadFile{REPLACE("/model/merges", "[[\"a\", \"b\", \"a\"]]"), "two tokens"},
        BadFile{REPLACE("/model/merges", "[3]"), "a number"}, BadFile{REPLACE("/model/merges", "{}"), "merges"},
        BadFile{REPLACE("/added_tokens/0/id", "7"), "counts 3"},
        BadFile{REPLACE("/added_tokens/0/id", "0"), "counts 3"},
        BadFile{REPLACE("/added_tokens/0/content", "\"\""), "is empty"},
        BadFile{REPLACE("/added_tokens", "3"), "a list"},
        BadFile{R"([{"op": "copy", "from": "/added_tokens/0", "path": "/added_tokens/1"}])", "'<e>'"},
        BadFile{REPLACE("/normalizer", "{\"type\": \"BertNormalizer\"}"), "'BertNormalizer'"},
        BadFile{REPLACE("/normalizer", "{\"type\": \"NFC\", \"x\": 1}"), "'x'"},
        BadFile{REPLACE("/normalizer", "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"(a\"}, \"content\": \"\"}"),
                "not closed"},
        BadFile{REPLACE("/pre_tokenizer", "{\"type\": \"UnicodeScripts\"}"), "'UnicodeScripts'"},
        BadFile{REPLACE("/pre_tokenizer", "{\"type\": \"Sequence\", \"pretokenizers\": 3}"), "expected a list"},
        BadFile{REPLACE("/pre_tokenizer",
                        "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?<n>a)\\\\k<n>\"}, \"behavior\": "
                        "\"Isolated\", \"invert\": false}"),
                "unusual kind"},
        BadFile{REPLACE("/pre_tokenizer",
                        "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\p{Greek}\"}, \"behavior\": "
                        "\"Isolated\", \"invert\": false}"),
                "Greek"},
        BadFile{REPLACE("/pre_tokenizer",
                        "{\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}, \"behavior\": \"Odd\", "
                        "\"invert\": false}"),
                "'Odd'"},
        BadFile{REPLACE("/post_processor", "{\"type\": \"BertProcessing\"}"), "BertProcessing"},
        BadFile{REPLACE("/post_processor/special_tokens/<e>/ids", "[99]"), "id 99"},
        BadFile{REPLACE("/post_processor/single", "[]"), "sequence A"},
        BadFile{REPLACE("/decoder", "{\"type\": \"WordPiece\"}"), "'WordPiece'"}));

TEST(BadTokenizerText, BrokenJsonDeepNestingAndTwiceGivenKeys) {
  const TemporaryFolder folder;
  const std::string good = kGood;
  const auto message = [&](const std::string& text) {
    write_raw(folder / "tokenizer.json", text);
    return error_of([&] { load_tokenizer(folder.path()); });
  };
  write_raw(folder / "tokenizer.json", good);
  EXPECT_NO_THROW(load_tokenizer(folder.path()));
  for (size_t size = 0; size < good.size(); size += 13)
    EXPECT_THAT(message(good.substr(0, size)), HasSubstr("JSON")) << size;
  EXPECT_THAT(message(std::string(100000, '[')), HasSubstr("nested deeper"));
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += R"({"type":"Sequence","normalizers":[)";
  EXPECT_THAT(message(R"({"normalizer":)" + deep), HasSubstr("nested deeper"));
  EXPECT_THAT(message(R"({"model":{"vocab":[)" + std::string(5000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(message(R"({"model":{"type":"BPE","vocab":{"a":0,"a":1},"merges":[]}})"), HasSubstr("'a' twice"));
  EXPECT_THAT(message(R"({"model":{"type":"BPE","vocab":{"a":0},"vocab":{"a":0},"merges":[]}})"), HasSubstr("twice"));
  EXPECT_THAT(message("{}"), HasSubstr("'model'"));
  EXPECT_THAT(message("\xFF"), HasSubstr("JSON"));
}

TEST(BadTokenizerText, NormalizersThatGrowATextWithoutBoundAreStopped) {
  const TemporaryFolder folder;
  json file = json::parse(kGood);
  json list = json::array();
  for (int i = 0; i < 60; ++i) list.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}});
  file["normalizer"] = {{"type", "Sequence"}, {"normalizers", list}};
  write_raw(folder / "tokenizer.json", file.dump());
  const auto encode = [&] { load_tokenizer(folder.path())->encode(std::string(1000, 'a')); };
  EXPECT_THAT(error_of(encode), HasSubstr("times as long"));
}

TEST(BadTokenizerText, SentencepieceFilesThatAreNone) {
  const TemporaryFolder folder;
  for (const char* text : {"", "x", "{}", "\x0A\xFF\xFF\xFF\xFF\x0F"}) {
    write_raw(folder / "tokenizer.model", text);
    EXPECT_THAT(error_of([&] { load_tokenizer(folder.path()); }), HasSubstr("tokenizer.model"));
  }
}

}  // namespace
}  // namespace detent
