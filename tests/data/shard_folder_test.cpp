#include "detent/data/shard_folder.h"

#include <gmock/gmock-more-matchers.h>

#include <algorithm>

#include "detent/data/corpus.h"
#include "detent/data/shard_list.h"
#include "tests/io/support.h"

namespace detent {
namespace {

using io::test::error_of;
using io::test::read_raw;
using io::test::TemporaryFolder;
using io::test::write_raw;
using testing::ElementsAre;
using testing::HasSubstr;

class ShardFolder : public testing::Test {
 protected:
  ShardFolder() {
    write_raw(folder_ / "one.txt", "abc");
    write_raw(folder_ / "two.jsonl", "{\"text\": \"d\"}\n{\"text\": \"ef\"}\n");
    files_ = {folder_ / "one.txt", folder_ / "two.jsonl"};
  }
  ShardFolderSummary write(int threads = 1, const CorpusProgress& progress = {}) {
    ids_.clear();
    return write_shard_folder(files_, {.threads = threads}, *tokenizer_, folder_ / "out", progress,
                              [&](std::span<const int32_t> ids) { ids_.insert(ids_.end(), ids.begin(), ids.end()); });
  }

  TemporaryFolder folder_;
  std::vector<std::filesystem::path> files_;
  std::unique_ptr<Tokenizer> tokenizer_ = byte_tokenizer();
  std::vector<int32_t> ids_;
};

TEST_F(ShardFolder, HoldsTheTextAndTakesUpWhatIsThere) {
  const ShardFolderSummary first = write();
  EXPECT_EQ(first.text.documents, 3u);
  EXPECT_EQ(first.text.tokens, 6u);
  EXPECT_EQ(first.text.bytes, 6u);
  EXPECT_EQ(first.kept, 0u);
  EXPECT_THAT(ids_, ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
  // printf 'a\0\0\0b\0\0\0c\0\0\0d\0\0\0e\0\0\0f\0\0\0' | sha256sum
  EXPECT_EQ(first.ids_sha256, "e80018667d78d8c07e89ae6ed0717aa5deb0a91868041d7ea0693d38c81b5e85");
  const std::string shard = read_raw(folder_ / "out/00001-two.tokens");
  const ShardFolderSummary again = write(3);
  EXPECT_EQ(again.kept, 2u);
  EXPECT_EQ(again.ids_sha256, first.ids_sha256);
  EXPECT_EQ(again.text.bytes, 6u);
  write_raw(folder_ / "out/00001-two.tokens", shard.substr(0, shard.size() - 1));  // a damaged one is written again
  EXPECT_EQ(write().kept, 1u);
  EXPECT_EQ(read_raw(folder_ / "out/00001-two.tokens"), shard);
}

TEST_F(ShardFolder, GoesOnAfterAStop) {
  int calls = 0;
  const CorpusProgress stop = [&](uint64_t done, uint64_t) {
    if (done > 3 && ++calls > 1) fail("stopped");
  };
  EXPECT_THAT(error_of([&] { write(1, stop); }), HasSubstr("stopped"));
  EXPECT_THAT(error_of([&] { open_shard_folder(folder_ / "out", *tokenizer_); }), HasSubstr("not finished"));
  EXPECT_EQ(write().kept, 1u);
}

TEST_F(ShardFolder, OtherTextIsRefused) {
  write();
  files_.pop_back();
  EXPECT_THAT(error_of([&] { write(); }), HasSubstr("other text"));
  write_raw(folder_ / "out/tokens.json", "{\"version\": 1}");
  EXPECT_THAT(error_of([&] { write(); }), HasSubstr("tokens.json"));
}

TEST_F(ShardFolder, IsTrainingData) {
  write();
  const Corpus corpus = open_corpus({(folder_ / "out").string()}, {}, *tokenizer_, folder_ / "cache");
  EXPECT_THAT(corpus.tokens->read(0, corpus.tokens->size()), ElementsAre('a', 'b', 'c', 256, 'd', 256, 'e', 'f', 256));
  EXPECT_THAT(corpus.tokens->read(2, 4), ElementsAre('c', 256, 'd', 256));
  EXPECT_EQ(corpus.tokens->documents(), 3);
}

// A tokenizer with a BOS and an end of text: the same ids by every way into training.
TEST_F(ShardFolder, HoldsWhatACorpusHolds) {
  tokenizer_ = make_tokenizer(std::string(DETENT_SOURCE_DIR) + "/tests/data/golden/tokenizers/llama3.json");
  ASSERT_TRUE(tokenizer_->bos() && tokenizer_->eos());
  write();
  const std::vector<std::string> folder = {(folder_ / "out").string()};
  const std::vector<std::string> files = {files_[0].string(), files_[1].string()};
  const Corpus corpus = open_corpus(files, {}, *tokenizer_, folder_ / "cache");
  const std::vector<int32_t> expected = corpus.tokens->read(0, corpus.tokens->size());
  EXPECT_EQ(std::count(expected.begin(), expected.end(), *tokenizer_->bos()), 3);
  const std::shared_ptr<const Tokens> others[] = {open_corpus(folder, {}, *tokenizer_, folder_ / "cache").tokens,
                                                  encode_corpus(folder, {}, *tokenizer_),
                                                  encode_corpus(files, {}, *tokenizer_)};
  for (const auto& tokens : others) {
    EXPECT_EQ(tokens->read(0, tokens->size()), expected);
    EXPECT_TRUE(std::ranges::equal(tokens->document_ends(), corpus.tokens->document_ends()));
  }
}

}  // namespace
}  // namespace detent
