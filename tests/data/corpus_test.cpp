#include "detent/data/corpus.h"

#include <sys/wait.h>
#include <zstd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "detent/data/eval_windows.h"
#include "detent/data/loader.h"
#include "tests/io/support.h"

namespace detent {
namespace {

namespace fs = std::filesystem;
using io::test::error_of;
using io::test::names_in;
using io::test::read_raw;
using io::test::TemporaryFolder;
using io::test::write_raw;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

std::string compressed(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), 0);
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

// The whole shard as text, each end of text as '|'.
std::string text_of(const Tokens& tokens) {
  std::vector<int32_t> ids(tokens.size());
  tokens.read(0, ids);
  std::string text;
  for (const int32_t id : ids) text += id == 256 ? '|' : static_cast<char>(id);
  return text;
}

class CorpusTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, std::string_view text) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    write_raw(path(name), text);
  }
  fs::path cache() const { return folder_ / "out/.cache"; }
  Corpus open(const std::vector<std::string>& paths, const CorpusProgress& progress = {}) const {
    return open_corpus(paths, options_, *tokenizer_, cache(), progress);
  }
  std::string text(const std::vector<std::string>& paths) const { return text_of(*open(paths).tokens); }
  std::vector<std::string> names(const std::vector<std::string>& paths) const {
    std::vector<std::string> relative;
    for (const fs::path& file : expand_paths(paths)) relative.push_back(fs::relative(file, folder_.path()).string());
    return relative;
  }

  TemporaryFolder folder_;
  DataOptions options_;
  std::unique_ptr<Tokenizer> tokenizer_ = byte_tokenizer();
};

TEST_F(CorpusTest, EveryKindOfFileInOrder) {
  write("b.txt", "plain\xFF text");
  write("a.jsonl", "{\"text\": \"one\", \"year\": 1}\n\n{\"text\": \"\"}\n{\"text\": \"zw\\u00f6lf\"}\n");
  write("c.txt.zst", compressed("packed"));
  write("d.jsonl.zst", compressed("{\"text\": \"last\"}"));
  const std::vector<std::string> paths{path("b.txt"), path("a.jsonl"), path("c.txt.zst"), path("d.jsonl.zst")};
  EXPECT_EQ(text(paths), "plain\xFF text|one|zwölf|packed|last|");
  EXPECT_THAT(read_documents(paths, "text", ""), ElementsAre("plain\xFF text", "one", "zwölf", "packed", "last"));
}

TEST_F(CorpusTest, FieldAndSeparator) {
  write("a.txt", "one<|endoftext|>two<|endoftext|>");
  write("b.jsonl", R"({"text": "no", "body": "yes"})");
  options_.separator = "<|endoftext|>";
  options_.field = "body";
  EXPECT_EQ(text({path("a.txt"), path("b.jsonl")}), "one|two|yes|");
}

TEST_F(CorpusTest, FoldersAndStars) {
  for (const char* name : {"src/z.py", "src/a/b.txt", "src/a/a.py", "src/data.bin", "x-2.txt", "x-10.txt", "y-1.txt"})
    write(name, name);
  write("src/a/__init__.py", "");
  EXPECT_THAT(names({path("src")}), ElementsAre("src/a/__init__.py", "src/a/a.py", "src/a/b.txt", "src/z.py"));
  EXPECT_EQ(text({path("src")}), "src/a/a.py|src/a/b.txt|src/z.py|");
  EXPECT_THAT(names({path("x-*.txt")}), ElementsAre("x-10.txt", "x-2.txt"));
  EXPECT_THAT(names({path("*-*1*.txt"), path("x-2.txt")}), ElementsAre("x-10.txt", "y-1.txt", "x-2.txt"));
  write("odd*name.txt", "a star in a real name");
  EXPECT_THAT(names({path("odd*name.txt")}), ElementsAre("odd*name.txt"));
}

TEST_F(CorpusTest, SecondCallFindsTheShard) {
  write("a.txt", "hello");
  const Corpus first = open({path("a.txt")});
  EXPECT_TRUE(first.built);
  const Corpus second = open({path("a.txt")});
  EXPECT_FALSE(second.built);
  EXPECT_EQ(second.path, first.path);
  EXPECT_EQ(second.fingerprint, first.fingerprint);
  EXPECT_EQ(text_of(*second.tokens), "hello|");
}

TEST_F(CorpusTest, AnyChangeBuildsAnew) {
  write("a.txt", "hello");
  write("b.txt", "world");
  const std::vector<std::string> paths{path("a.txt"), path("b.txt")};
  std::vector<std::string> fingerprints{open(paths).fingerprint};
  fingerprints.push_back(open({path("b.txt"), path("a.txt")}).fingerprint);
  options_.separator = "l";
  fingerprints.push_back(open(paths).fingerprint);
  options_.field = "body";
  fingerprints.push_back(open(paths).fingerprint);
  fs::last_write_time(path("a.txt"), fs::last_write_time(path("a.txt")) + std::chrono::seconds(1));
  fingerprints.push_back(open(paths).fingerprint);
  write("b.txt", "world!");
  fingerprints.push_back(open(paths).fingerprint);
  std::sort(fingerprints.begin(), fingerprints.end());
  EXPECT_EQ(std::unique(fingerprints.begin(), fingerprints.end()) - fingerprints.begin(), 6);
}

TEST_F(CorpusTest, DamagedShardIsBuiltAgain) {
  write("a.txt", "hello");
  const Corpus first = open({path("a.txt")});
  std::string bytes = read_raw(first.path);
  for (const std::string& damaged :
       {bytes.substr(0, bytes.size() / 2), std::string(), std::string(bytes).replace(200, 1, "x")}) {
    fs::remove(first.path);
    write_raw(first.path, damaged);
    const Corpus again = open({path("a.txt")});
    EXPECT_TRUE(again.built);
    EXPECT_EQ(text_of(*again.tokens), "hello|");
  }
}

TEST_F(CorpusTest, ErrorsNameTheFileAndTheLine) {
  write("bad.jsonl", "{\"text\": \"fine\"}\n{\"text\": 3}\n");
  write("broken.jsonl", "{\"text\": \"fine\"}\n\n{\"text\": \"cut");
  write("other.jsonl", "{\"body\": \"fine\"}\n");
  write("empty.txt", "");
  write("blank.jsonl", "\n\n");
  write("a.txt", "text");
  write("a.parquet", "PAR1");
  fs::create_directory(path("nothing"));
  EXPECT_THAT(error_of([&] { open({path("bad.jsonl")}); }), HasSubstr("bad.jsonl:2: the field 'text' is a number"));
  EXPECT_THAT(error_of([&] { open({path("broken.jsonl")}); }), HasSubstr("broken.jsonl:3: not valid JSON"));
  EXPECT_THAT(error_of([&] { open({path("other.jsonl")}); }), HasSubstr("other.jsonl:1: no field 'text'"));
  EXPECT_THAT(error_of([&] { open({path("a.txt"), path("empty.txt")}); }), HasSubstr("empty.txt holds no text"));
  EXPECT_THAT(error_of([&] { open({path("blank.jsonl")}); }), HasSubstr("blank.jsonl holds no text"));
  EXPECT_THAT(error_of([&] { open({path("a.txt"), path("no.txt")}); }), HasSubstr("no.txt does not exist"));
  EXPECT_THAT(error_of([&] { open({path("a.parquet")}); }), HasSubstr("cannot tell its format"));
  EXPECT_THAT(error_of([&] { open({path("z*.txt")}); }), HasSubstr("no file matches"));
  EXPECT_THAT(error_of([&] { open({path("no/z*.txt")}); }), HasSubstr("no does not exist"));
  EXPECT_THAT(error_of([&] { open({path("*/z.txt")}); }), HasSubstr("in the file name only"));
  EXPECT_THAT(error_of([&] { open({path("nothing")}); }), HasSubstr("no .txt or .py file"));
  EXPECT_THAT(error_of([&] { open({"/dev/null"}); }), HasSubstr("not a regular file"));
  EXPECT_THAT(error_of([&] { open({}); }), HasSubstr("no data file"));
  for (const std::string& name : names_in(cache())) EXPECT_THAT(name, testing::EndsWith(".lock"));
}

// Unless it is there already; a hole in a file takes no disk.
TEST_F(CorpusTest, ALookDoesNotReadMoreThanItsBound) {
  const auto look = [&](const char* name) { return read_corpus({path(name)}, options_, *tokenizer_, cache()); };
  write_raw(folder_ / "small.txt", "abc");
  write_raw(folder_ / "large.txt", "abc");
  fs::resize_file(folder_ / "large.txt", kMostRead + 1);
  EXPECT_NE(look("small.txt"), nullptr);
  EXPECT_EQ(look("large.txt"), nullptr);
}

TEST_F(CorpusTest, ProgressReachesTheTotal) {
  write("a.txt", std::string(300'000, 'a'));
  write("b.jsonl.zst", compressed("{\"text\": \"" + std::string(100'000, 'b') + "\"}"));
  const uint64_t size = fs::file_size(path("a.txt")) + fs::file_size(path("b.jsonl.zst"));
  uint64_t last = 0;
  open({path("a.txt"), path("b.jsonl.zst")}, [&](uint64_t done, uint64_t total) {
    EXPECT_EQ(total, size);
    EXPECT_GE(done, last);
    last = done;
  });
  EXPECT_EQ(last, size);
}

// The exit code of a child process.
int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(CorpusTest, ManyProcessesBuildOnce) {
  write("a.txt", "hello");
  std::vector<pid_t> children;
  for (int i = 0; i < 6; ++i) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    const auto slow = [](uint64_t, uint64_t) { std::this_thread::sleep_for(std::chrono::milliseconds(50)); };
    const Corpus corpus = open({path("a.txt")}, slow);
    ::_exit(text_of(*corpus.tokens) == "hello|" ? corpus.built : 99);
  }
  int built = 0;
  for (const pid_t child : children) built += wait_for(child);
  EXPECT_EQ(built, 1);
  EXPECT_THAT(names_in(cache()), SizeIs(2));  // the shard and its lock
}

TEST_F(CorpusTest, CrashedBuildIsCleanedUp) {
  write("a.txt", "hello");
  const pid_t child = ::fork();
  if (child == 0) open({path("a.txt")}, [](uint64_t, uint64_t) { ::_exit(7); });
  ASSERT_EQ(wait_for(child), 7);
  ASSERT_THAT(names_in(cache()), testing::Contains(HasSubstr(".tmp-")));
  EXPECT_EQ(text({path("a.txt")}), "hello|");
  EXPECT_THAT(names_in(cache()), SizeIs(2));
}

TEST_F(CorpusTest, OptionsFromYaml) {
  DataOptions options;
  read_options(parse_yaml("train: [a.txt, b.txt]\nvalid: c.txt\nsequence_length: 64\n", "config.yaml"), options,
               "data.");
  EXPECT_THAT(options.train, ElementsAre("a.txt", "b.txt"));
  EXPECT_THAT(options.valid, ElementsAre("c.txt"));
  EXPECT_EQ(options.sequence_length, 64);
  EXPECT_EQ(options.tokenizer, "bytes");
  EXPECT_THAT(error_of([&] { read_options(parse_yaml("seqence_length: 3", "config.yaml"), options, "data."); }),
              HasSubstr("did you mean 'data.sequence_length'?"));
}

// From files to batches and evaluation: the shard's windows are those of the text.
TEST_F(CorpusTest, FeedsLoaderAndEvaluation) {
  write("a.jsonl", "{\"text\": \"abcdefgh\"}\n{\"text\": \"ij\"}\n");
  const Corpus corpus = open({path("a.jsonl")});
  Loader loader({corpus.tokens}, {4, 0, tokenizer_->end_of_text()});
  EXPECT_EQ(loader.tokens(), 11);
  EXPECT_EQ(loader.next(3).scored, 11);
  const EvalWindows shard(corpus.tokens, *tokenizer_, {4, 0});
  const EvalWindows documents(read_documents({path("a.jsonl")}, "text", ""), *tokenizer_, {4, 0});
  EXPECT_EQ(shard.batch(0, 9).inputs, documents.batch(0, 9).inputs);
  EXPECT_EQ(shard.batch(0, 9).targets, documents.batch(0, 9).targets);
  EXPECT_EQ(shard.tokens(), 7);
}

TEST_F(CorpusTest, RealBooks) {
  const char* chosen = std::getenv("DETENT_SHARED_DATA");
  const fs::path data = chosen ? chosen : DETENT_SOURCE_DIR "/../shared/data";
  const fs::path books = data / "text/books-valid.jsonl.zst";
  if (!fs::exists(books)) GTEST_SKIP() << books << " is absent";
  const Corpus corpus = open({books.string()});
  const std::vector<std::string> documents = read_documents({books.string()}, "text", "");
  int64_t bytes = 0;
  for (const std::string& document : documents) bytes += static_cast<int64_t>(document.size());
  EXPECT_EQ(documents.size(), 12u);
  EXPECT_EQ(corpus.tokens->size(), bytes + 12);
  const EvalWindows windows(corpus.tokens, *tokenizer_, {256, 0});
  EXPECT_EQ(windows.text_bytes(), bytes);
  EXPECT_EQ(windows.tokens() + windows.size() + windows.dropped(), bytes);
}

}  // namespace
}  // namespace detent
