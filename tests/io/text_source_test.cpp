#include "detent/io/text_source.h"

#include <zstd.h>

#include "tests/io/support.h"

namespace detent::io::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Documents = std::vector<std::string>;

std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1));
  return out;
}

Documents documents(std::string_view content, const std::string& name, TextOptions options = {}) {
  TextSource source(as_bytes(content), name, std::move(options));
  Documents result;
  while (auto document = source.next()) result.push_back(std::move(*document));
  EXPECT_EQ(source.next(), std::nullopt);
  return result;
}

TextOptions separator(std::string text) {
  TextOptions options;
  options.separator = std::move(text);
  return options;
}

TEST(TextSource, ATextFileIsOneDocument) {
  EXPECT_THAT(documents("a\nb\n", "x.txt"), ElementsAre("a\nb\n"));
  EXPECT_THAT(documents("", "x.txt"), IsEmpty());
  const std::string large(3'000'000, 'x');
  EXPECT_THAT(documents(large, "x.txt"), ElementsAre(large));
  EXPECT_THAT(documents(zstd(large), "x.txt.zst"), ElementsAre(large));
}

TEST(TextSource, SeparatorsCutText) {
  EXPECT_THAT(documents("a<|>b\n<|>", "x.txt", separator("<|>")), ElementsAre("a", "b\n"));
  EXPECT_THAT(documents("<|><|>a<|><|>b", "x.txt", separator("<|>")), ElementsAre("a", "b"));
  EXPECT_THAT(documents("a<|", "x.txt", separator("<|>")), ElementsAre("a<|"));
  EXPECT_THAT(documents("aaab", "x.txt", separator("aab")), ElementsAre("a"));
}

// The same cuts as a plain search, wherever the pieces of the file end.
TEST(TextSource, SeparatorsAreFoundAcrossPieces) {
  for (const size_t start : {262138u, 262139u, 262142u, 262143u, 262144u, 262145u, 524287u}) {
    const std::string a(start, 'a'), b(300'000, '-');
    EXPECT_EQ(documents(a + "-=-=" + b, "x.txt", separator("-=-=")), (Documents{a, b})) << start;
    EXPECT_EQ(documents(zstd(a + "-=-=" + b), "x.txt.zst", separator("-=-=")), (Documents{a, b})) << start;
  }
}

TEST(TextSource, JsonLinesGiveTheField) {
  const char* text =
      "{\"text\":\"a\\n\\u00e9\"}\n\n{\"id\":[1,{\"text\":3}],\"text\":\"\"}\r\n \t\r\n{\"text\": \"c\"}";
  EXPECT_THAT(documents(text, "x.jsonl"), ElementsAre("a\n\u00e9", "", "c"));
  EXPECT_THAT(documents(zstd(text), "x.jsonl.zst"), ElementsAre("a\n\u00e9", "", "c"));
  EXPECT_THAT(documents(text, "x.ndjson"), ElementsAre("a\n\u00e9", "", "c"));
  TextOptions options;
  options.field = "body";
  EXPECT_THAT(documents("{\"body\":\"b\",\"text\":1}\n", "x.jsonl", options), ElementsAre("b"));
}

TEST(TextSource, BadLinesAreNamed) {
  const std::string good = "{\"text\":\"a\"}\n\n";
  const std::vector<std::pair<std::string, const char*>> cases = {
      {"{\"text\":\"a\"", "x.jsonl:3: not valid JSON"},
      {"{\"text\":\"a\"} {}", "x.jsonl:3: not valid JSON"},
      {"{\"text\":\"\xff\"}", "x.jsonl:3: not valid JSON"},
      {std::string("{\"text\":\"a\"}\0", 13), "x.jsonl:3: not valid JSON: a NUL byte"},
      {"{\"txt\":\"a\"}", "x.jsonl:3: no field 'text'"},
      {"{}", "x.jsonl:3: no field 'text'"},
      {"{\"a\":{\"text\":\"a\"}}", "x.jsonl:3: no field 'text'"},
      {"{\"text\":1}", "the field 'text' is a number, expected a string"},
      {"{\"text\":null}", "the field 'text' is null"},
      {"{\"text\":true}", "the field 'text' is a boolean"},
      {"{\"text\":[\"a\"]}", "the field 'text' is an array"},
      {"{\"text\":{\"text\":\"a\"}}", "the field 'text' is an object"},
      {"{\"text\":\"a\",\"text\":\"b\"}", "the field 'text' appears twice"},
      {"[\"text\"]", "x.jsonl:3: an array instead of a JSON object"},
      {"\"text\"", "a string instead of a JSON object"},
      {"7", "a number instead of a JSON object"},
      {std::string(1'000'000, '['), "an array instead of a JSON object"},
      {"{\"a\":" + std::string(1'000'000, '['), "not valid JSON"},
  };
  for (const auto& [line, message] : cases) {
    EXPECT_THAT(error_of([&] { documents(good + line + "\n" + good, "x.jsonl"); }), HasSubstr(message));
  }
}

TEST(TextSource, DamagedZstdIsNamed) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += fmt::format("{{\"text\":\"{}\"}}\n", i * 7919 % 10007);
  const std::string packed = zstd(text);
  EXPECT_EQ(documents(packed, "x.jsonl.zst").size(), 50'000u);
  EXPECT_EQ(documents(packed + packed, "x.jsonl.zst").size(), 100'000u);  // frames follow one another
  const auto error = [](std::string_view content) { return error_of([&] { documents(content, "x.jsonl.zst"); }); };
  EXPECT_THAT(error(packed.substr(0, packed.size() - 1)), HasSubstr("x.jsonl.zst: the zstd data ends in the middle"));
  EXPECT_THAT(error(packed.substr(0, packed.size() / 2)), HasSubstr("cut short"));
  EXPECT_THAT(error(packed + packed.substr(0, 5)), HasSubstr("cut short"));
  EXPECT_THAT(error(""), HasSubstr("cut short"));
  EXPECT_THAT(error(packed + "garbage"), HasSubstr("damaged zstd data"));
  EXPECT_THAT(error(text), HasSubstr("damaged zstd data near byte"));
}

TEST(TextSource, DocumentsAreBounded) {
  TextOptions options = separator("|");
  options.max_document_bytes = 1000;
  const std::string exact(1000, 'a');
  EXPECT_THAT(documents(exact + "|" + exact, "x.txt", options), ElementsAre(exact, exact));
  EXPECT_THAT(error_of([&] { documents(exact + "a|", "x.txt", options); }), HasSubstr("more than 1000 bytes"));
  EXPECT_THAT(error_of([&] { documents(zstd(std::string(50'000'000, 'a')), "x.jsonl.zst", options); }),
              HasSubstr("x.jsonl.zst:1: a document of more than 1000 bytes"));
}

TEST(TextSource, ProgressCountsCompressedBytes) {
  const TemporaryFolder folder;
  const std::string packed = zstd(std::string(2'000'000, 'a'));
  write_raw(folder / "x.txt.zst", packed);
  std::vector<uint64_t> calls;
  TextOptions options;
  options.progress = [&](uint64_t read, uint64_t total) {
    EXPECT_EQ(total, packed.size());
    calls.push_back(read);
  };
  TextSource source(folder / "x.txt.zst", options);
  EXPECT_EQ(source.next()->size(), 2'000'000u);
  EXPECT_TRUE(std::is_sorted(calls.begin(), calls.end()));
  EXPECT_EQ(calls.back(), packed.size());
  EXPECT_EQ(source.bytes_read(), source.bytes_total());
}

TEST(TextSource, UnknownNamesAreRefused) {
  const TemporaryFolder folder;
  write_raw(folder / "x.csv", "");
  EXPECT_THAT(error_of([&] { TextSource source(folder / "x.csv"); }), HasSubstr("cannot tell its format"));
  EXPECT_THAT(error_of([&] { TextSource source(folder / "no.txt"); }), HasSubstr("cannot open"));
}

}  // namespace
}  // namespace detent::io::test
