#include "detent/io/token_shard.h"

#include "tests/io/support.h"

namespace detent::io::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string shard(uint64_t vocabulary, const std::vector<std::vector<uint32_t>>& documents,
                  std::string_view fingerprint = "source", const std::vector<TokenRange>& scored = {}) {
  const TemporaryFolder folder;
  TokenShardWriter writer(folder / "x", vocabulary, fingerprint);
  for (const auto& document : documents) {
    writer.write(document);
    writer.end_document();
  }
  for (const TokenRange& range : scored) writer.score(range);
  writer.finish();
  return read_raw(folder / "x");
}

const auto parse_bad_shard = [](std::span<const std::byte> bytes) { parse_token_shard(bytes, "bad.shard"); };

TEST(TokenShard, KeepsTokensAndDocuments) {
  const TemporaryFolder folder;
  for (const uint64_t vocabulary : {uint64_t{10}, uint64_t{65536}, uint64_t{65537}, uint64_t{1} << 31}) {
    const auto last = static_cast<uint32_t>(vocabulary - 1);
    write_raw(folder / "x", shard(vocabulary, {{1, 2, last}, {}, {3}}));
    const TokenShard tokens(folder / "x");
    EXPECT_EQ(tokens.vocabulary(), vocabulary);
    EXPECT_EQ(tokens.fingerprint(), "source");
    EXPECT_EQ(tokens.size(), 4u);
    EXPECT_EQ(tokens.token(2), last);
    EXPECT_THAT(tokens.document_ends(), ElementsAre(3u, 3u, 4u));
    std::vector<int64_t> wide(3);
    tokens.copy(1, wide);
    EXPECT_THAT(wide, ElementsAre(2, last, 3));
    std::vector<int32_t> narrow(4);
    tokens.copy(0, narrow);
    EXPECT_EQ(narrow[2], static_cast<int32_t>(last));
    EXPECT_THAT(error_of([&] { tokens.copy(2, narrow); }), HasSubstr("tokens 2 to 6 asked for, it has 4"));
    EXPECT_THAT(error_of([&] { tokens.copy(UINT64_MAX, narrow); }), HasSubstr("asked for"));
  }
}

TEST(TokenShard, TokensAreAlignedAndTwoBytesWide) {
  const std::string file = shard(65536, {{1, 2, 65535}}, std::string(40, 'f'));
  EXPECT_EQ(file.size(), 128u + 8 + 8 + 56);
  EXPECT_EQ(file.substr(128, 8), std::string("\1\0\2\0\xff\xff\0\0", 8));
}

TEST(TokenShard, MayBeEmptyOrWithoutDocuments) {
  const TemporaryFolder folder;
  TokenShardWriter(folder / "a", 5, "").finish();
  EXPECT_EQ(TokenShard(folder / "a").size(), 0u);
  TokenShardWriter writer(folder / "b", 5, "");
  for (int32_t i = 0; i < 5; ++i) writer.write(std::span(&i, 1));
  writer.finish();
  EXPECT_EQ(TokenShard(folder / "b").size(), 5u);
  EXPECT_TRUE(TokenShard(folder / "b").document_ends().empty());
}

TEST(TokenShard, KeepsWhichTokensAreScored) {
  const TemporaryFolder folder;
  const std::vector<TokenRange> ranges{{1, 2}, {2, 4}, {6, 7}};
  write_raw(folder / "x", shard(300, {{1, 2, 3}, {4, 5, 6, 7}}, "", ranges));
  EXPECT_EQ(TokenShard(folder / "x").scored(), ranges);
  EXPECT_THAT(TokenShard(folder / "x").document_ends(), ElementsAre(3u, 7u));
  write_raw(folder / "y", shard(300, {{1, 2, 3}}));
  EXPECT_TRUE(TokenShard(folder / "y").scored().empty());
}

TEST(TokenShard, WriterRefusesMisuse) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { TokenShardWriter(folder / "x", 0, ""); }), HasSubstr("a vocabulary of 0"));
  EXPECT_THAT(error_of([&] { TokenShardWriter(folder / "x", uint64_t{1} << 32, ""); }), HasSubstr("not possible"));
  EXPECT_THAT(error_of([&] { TokenShardWriter(folder / "x", 5, std::string(70'000, 'a')); }), HasSubstr("too long"));
  TokenShardWriter writer(folder / "x", 5, "");
  const uint32_t large = 5;
  const int32_t negative = -1;
  EXPECT_THAT(error_of([&] { writer.write(std::span(&large, 1)); }), HasSubstr("token 5 is outside"));
  EXPECT_THAT(error_of([&] { writer.write(std::span(&negative, 1)); }), HasSubstr("is outside"));
  writer.end_document();
  writer.write(std::vector<uint32_t>{1});
  EXPECT_THAT(error_of([&] { writer.finish(); }), HasSubstr("tokens follow the last ended document"));
  EXPECT_FALSE(fs::exists(folder / "x"));
  TokenShardWriter scored(folder / "y", 5, "");
  scored.write(std::vector<uint32_t>{1, 2, 3});
  EXPECT_THAT(error_of([&] { scored.score({2, 2}); }), HasSubstr("scored tokens 2 to 2 are out of order"));
  scored.score({1, 2});
  EXPECT_THAT(error_of([&] { scored.score({1, 3}); }), HasSubstr("scored tokens 1 to 3 are out of order"));
  scored.score({2, 4});
  EXPECT_THAT(error_of([&] { scored.finish(); }), HasSubstr("3 tokens, of which one before 4 is scored"));
  EXPECT_FALSE(fs::exists(folder / "y"));
}

std::string with(std::string file, size_t at, auto value) {
  std::string bytes;
  append(bytes, value);
  return file.replace(at, bytes.size(), bytes);
}

TEST(TokenShard, BadFilesAreRefused) {
  const std::string good = shard(100, {{1, 2, 3}, {4}}), answers = shard(100, {{1, 2, 3}, {4}}, "", {{0, 1}, {2, 4}});
  const size_t trailer = good.size() - 56, ranges = answers.size() - 56 - 32;
  check_bad_files(
      {
          {"empty", "", "too few"},
          {"87 bytes", std::string(87, 'x'), "too few"},
          {"another magic", with(good, 0, uint64_t{0}), "not a token shard"},
          {"version 0", with(good, 8, uint32_t{0}), "version 0, expected 2"},
          {"version 1", with(good, 8, uint32_t{1}), "version 1, expected 2; tokenize again"},
          {"token width 4", with(good, 12, uint32_t{4}), "4 bytes per token do not fit"},
          {"token width 0", with(good, 12, uint32_t{0}), "0 bytes per token do not fit"},
          {"vocabulary 0", with(good, 16, uint64_t{0}), "a vocabulary of 0"},
          {"vocabulary 2^32", with(good, 16, uint64_t{1} << 32), "a vocabulary of"},
          {"fingerprint beyond the file", with(good, 24, uint64_t{10'000}), "too long"},
          {"fingerprint length wraps", with(good, 24, UINT64_MAX), "too long"},
          {"fingerprint over the trailer", with(good, 24, uint64_t{100}), "do not fit its size"},
          {"fewer tokens", with(good, trailer, uint64_t{3}), "document 1 ends at token 4"},
          {"far more tokens", with(good, trailer, uint64_t{50}), "do not fit its size"},
          {"token bytes wrap", with(good, trailer, uint64_t{1} << 63), "do not fit its size"},
          {"token count near 2^64", with(good, trailer, UINT64_MAX / 2 - 10), "do not fit its size"},
          {"no documents", with(good, trailer + 8, uint64_t{0}), "do not fit its size"},
          {"document bytes wrap", with(good, trailer + 8, (uint64_t{1} << 61) + 2), "do not fit its size"},
          {"documents out of order", with(good, trailer - 16, uint64_t{5}), "document 0 ends at token 5"},
          {"document beyond the tokens", with(good, trailer - 8, uint64_t{5}), "document 1 ends at token 5"},
          {"document falls", with(good, trailer - 8, uint64_t{2}), "document 1 ends at token 2"},
          {"ranges that are not there", with(good, trailer + 16, uint64_t{1}), "do not fit its size"},
          {"range bytes wrap", with(good, trailer + 16, uint64_t{1} << 60), "do not fit its size"},
          {"empty range", with(answers, ranges + 8, uint64_t{0}), "scored tokens 0 to 0 are out of order"},
          {"ranges overlap", with(answers, ranges + 8, uint64_t{3}), "scored tokens 2 to 4 are out of order"},
          {"range beyond the tokens", with(answers, ranges + 24, uint64_t{5}), "scored tokens 2 to 5 are out of order"},
          {"range backwards", with(answers, ranges + 16, uint64_t{4}), "scored tokens 4 to 4 are out of order"},
          {"tokens after the last document", with(good, trailer - 8, uint64_t{3}), "1 tokens after the last"},
      },
      parse_bad_shard);
}

TEST(TokenShard, EveryTruncationIsRefused) {
  check_truncations(shard(100, {{1, 2, 3}, {4}}), parse_bad_shard);
  check_truncations(shard(100, {{1, 2, 3}, {4}}, "", {{1, 3}}), parse_bad_shard);
}

TEST(TokenShard, EveryFlippedByteIsFound) {
  const TemporaryFolder folder;
  const std::string good = shard(100, {{1, 2, 3}, {4}}, "source", {{1, 3}});
  for (size_t i = 0; i < good.size(); ++i) {
    std::string file = good;
    file[i] = static_cast<char>(file[i] ^ 0x10);
    write_raw(folder / "x", file);
    SCOPED_TRACE(i);
    error_of([&] { TokenShard tokens(folder / "x"); });
  }
}

TEST(TokenShard, VerificationCanWait) {
  const TemporaryFolder folder;
  std::string file = shard(100, {{1, 2, 3}});
  file[64] = 7;
  write_raw(folder / "x", file);
  const TokenShard tokens(folder / "x", Verify::kNo);
  EXPECT_EQ(tokens.token(0), 7u);
  EXPECT_THAT(error_of([&] { tokens.verify(); }), HasSubstr("its SHA-256 is not the one stored"));
}

TEST(TokenShard, AnIdOutsideTheVocabularyIsFoundBehindAGoodChecksum) {
  const TemporaryFolder folder;
  std::string file = shard(100, {{1, 2, 3}});
  file[64] = 100;
  const Sha256Digest digest = sha256(as_bytes(file).first(file.size() - 32));
  file.replace(file.size() - 32, 32, reinterpret_cast<const char*>(digest.data()), 32);
  write_raw(folder / "x", file);
  EXPECT_THAT(error_of([&] { TokenShard tokens(folder / "x"); }), HasSubstr("token 0 is 100, outside"));
}

}  // namespace
}  // namespace detent::io::test
