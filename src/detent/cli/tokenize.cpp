#include <CLI/CLI.hpp>
#include <memory>

#include "detent/base/error.h"
#include "detent/base/progress.h"
#include "detent/cli/commands.h"
#include "detent/data/encoder.h"
#include "detent/data/shard_folder.h"
#include "detent/data/tokenizer/utf8.h"
#include "detent/import/model_path.h"
#include "detent/io/sha256.h"
#include "detent/train/interrupt.h"

namespace detent::cli {

namespace {

struct Arguments {
  std::string tokenizer, out, field = "text", separator;
  std::vector<std::string> files;
  int threads = default_threads();
  bool json = false, ids = false, check = false;
};

// Whether text comes back from its ids, document by document, as it went in.
nlohmann::json check_round_trip(const std::vector<std::filesystem::path>& files, const Arguments& arguments,
                                const Tokenizer& tokenizer) {
  uint64_t documents = 0, equal = 0;
  io::Sha256 digest;
  for_each_document(files, arguments.field, arguments.separator, {}, [&](std::string_view document) {
    const std::string back = tokenizer.decode(tokenizer.encode(document));
    ++documents;
    equal += back == document;
    digest.update(replace_invalid_utf8(back));
  });
  return {{"documents", documents}, {"equal", equal}, {"text_sha256", io::to_hex(digest.finish())}};
}

int run(const Arguments& arguments) {
  if (arguments.ids && !arguments.json) fail("--ids adds the ids to what --json prints; give --json too");
  const std::unique_ptr<Tokenizer> tokenizer = open_tokenizer(arguments.tokenizer);
  const std::vector<std::filesystem::path> files = expand_paths(arguments.files);
  const InterruptGuard guard;
  std::unique_ptr<Progress> bar;
  const CorpusProgress progress = [&](uint64_t done, uint64_t total) {
    if (InterruptGuard::requested())
      throw Error(ExitCode::kInterrupted, "interrupted; the same command goes on with the next file");
    if (!bar) bar = std::make_unique<Progress>("tokenize", static_cast<int64_t>(total), "B", 0, arguments.json);
    bar->update(static_cast<int64_t>(done));
  };
  std::vector<int32_t> all;
  const TakeIds take = [&](std::span<const int32_t> ids) {
    if (arguments.ids) all.insert(all.end(), ids.begin(), ids.end());
  };
  const ShardFolderSummary summary = write_shard_folder(
      files, {arguments.field, arguments.separator, arguments.threads}, *tokenizer, arguments.out, progress, take);
  if (bar) bar->finish();
  nlohmann::json result = {
      {"tokens", summary.text.tokens},        {"bytes", summary.text.bytes}, {"ids_sha256", summary.ids_sha256},
      {"documents", summary.text.documents},  {"shards", summary.shards},    {"kept_shards", summary.kept},
      {"vocab_size", tokenizer->vocab_size()}};
  if (arguments.check) result["round_trip"] = check_round_trip(files, arguments, *tokenizer);
  if (arguments.ids) result["ids"] = all;
  if (arguments.json) {
    print_json(result);
    return 0;
  }
  fmt::print("{} of {}, {:.3f} bytes a token, in {} ({}, {} there before)\n",
             format_items(static_cast<int64_t>(summary.text.tokens), "token"),
             format_items(static_cast<int64_t>(summary.text.documents), "document"),
             static_cast<double>(summary.text.bytes) / static_cast<double>(std::max<uint64_t>(summary.text.tokens, 1)),
             arguments.out, format_items(static_cast<int64_t>(summary.shards), "shard"), summary.kept);
  if (arguments.check)
    fmt::print("{} of {} documents come back from their ids as they were\n", result["round_trip"]["equal"].dump(),
               result["round_trip"]["documents"].dump());
  if (!tokenizer->eos())
    fmt::print(stderr, "the tokenizer names no end of text, so nothing separates documents in the shards\n");
  return 0;
}

}  // namespace

Action add_tokenize(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("TOKENIZER", a->tokenizer, "bytes, a tokenizer.json, a tokenizer.model or a model of any kind")
      ->required();
  app.add_option("FILE", a->files, "text: .txt, .jsonl, each also .zst; folders of .txt and .py")->required();
  app.add_option("--out", a->out, "folder for the token shards, one a file; what is there already is kept")->required();
  app.add_option("--field", a->field, "key of a jsonl line that holds the text")->capture_default_str();
  app.add_option("--separator", a->separator, "text between documents of a text file; default: a file is one document");
  app.add_option("--threads", a->threads, "ids do not depend on it")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_flag("--check", a->check, "decode the ids again and count the documents that come back as they were");
  app.add_flag("--json", a->json, "print JSON");
  app.add_flag("--ids", a->ids, "put all ids into the JSON");
  app.footer("Example:\n  detent tokenize models/llama/tokenizer.json books.jsonl.zst --out tokens/books");
  return [a, &app] {
    check_text_options(app, a->files);
    return run(*a);
  };
}

}  // namespace detent::cli
