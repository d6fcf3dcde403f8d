#include "detent/train/run_data.h"

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "detent/base/key_error.h"
#include "detent/base/progress.h"
#include "detent/data/corpus.h"
#include "detent/import/model_path.h"
#include "detent/io/sha256.h"
#include "detent/train/interrupt.h"

namespace detent {

namespace fs = std::filesystem;

namespace {

// Ids, ends of documents and scored ranges: all that the batches depend on.
void add_to(io::Sha256& digest, const Tokens& tokens) {
  std::vector<int32_t> ids(1 << 16);
  for (int64_t first = 0; first < tokens.size(); first += static_cast<int64_t>(ids.size())) {
    const std::span<int32_t> part(ids.data(), static_cast<size_t>(std::min<int64_t>(1 << 16, tokens.size() - first)));
    tokens.read(first, part);
    digest.update(std::as_bytes(part));
  }
  digest.update(std::as_bytes(tokens.document_ends()));
  digest.update(std::as_bytes(tokens.scored()));
}

// A bar that appears when there is something to wait for.
CorpusProgress progress(const std::string& title, bool quiet) {
  using Clock = std::chrono::steady_clock;
  return
      [title, quiet, begin = Clock::now(), bar = std::shared_ptr<Progress>()](uint64_t done, uint64_t total) mutable {
        if (InterruptGuard::requested())
          throw Error(ExitCode::kInterrupted, "interrupted while reading the data; go on with --resume");
        const auto at = static_cast<int64_t>(done);
        if (!bar && done < total && Clock::now() - begin > std::chrono::milliseconds(500))
          bar = std::make_shared<Progress>(title, static_cast<int64_t>(total), "B", at, quiet);
        if (!bar) return;
        bar->update(at);
        if (done == total) bar->finish();
      };
}

LoaderOptions loader_options(const TrainConfig& config, const Tokenizer& tokenizer) {
  return {config.data.sequence_length, static_cast<uint64_t>(config.train.seed), tokenizer.eos().value_or(0),
          packing_of(config.data)};
}

// Where the tokenizer's own files lie; empty when it was not read from any.
fs::path tokenizer_folder(const std::string& name_or_path) {
  if (is_model_file(name_or_path)) return {};
  const fs::path path = name_or_path;
  if (fs::exists(path / "checkpoints")) return resolve_model(path);
  if (fs::is_directory(path)) return path;
  return fs::is_regular_file(path) ? fs::absolute(path).parent_path() : fs::path();
}

DataOptions resolve(const DataOptions& data) { return with_chat_format(data, tokenizer_folder(data.tokenizer)); }

// Keys that are about none of the files.
void check_options(const TrainConfig& config) {
  const DataOptions& data = config.data;
  const DataOptions defaults;
  if (data.format != "text") return;  // train/config.cpp refuses them
  const FileKinds kinds =
      kinds_of_corpora({data.valid, config.train.steps > 0 ? data.train : std::vector<std::string>()});
  constexpr const char* kReason = "has no effect: no file of data.train or data.valid is {}; drop it";
  if (data.field != defaults.field && !kinds.lines) fail_key("data.field", kReason, ".jsonl");
  if (data.separator != defaults.separator && !kinds.text) fail_key("data.separator", kReason, ".txt");
}

}  // namespace

RunData open_run_data(const TrainConfig& config, const Tokenizer& tokenizer, bool quiet, Cache use) {
  const DataOptions data = resolve(config.data);
  check_options(config);
  const fs::path cache = fs::absolute(config.output).parent_path() / ".cache";
  const auto open = [&](const std::vector<std::string>& paths, const char* title) {
    const CorpusProgress bar = progress(title, quiet);
    if (use == Cache::kBuilt) return open_corpus(paths, data, tokenizer, cache, bar).tokens;
    const auto read = read_corpus(paths, data, tokenizer, cache, bar);
    if (!read)
      fmt::print(stderr, "{} and what goes with it: too large to be read for a look; the run will\n", paths[0]);
    return read;
  };
  RunData opened;
  io::Sha256 digest;
  const auto valid = open(data.valid, "tokenize valid");
  if (!valid) return opened;
  add_to(digest, *valid);
  EvalWindows all(valid, tokenizer, {.context = data.sequence_length});
  if (all.size() == 0) fail_key("data.valid", "{} holds no text to validate on", data.valid[0]);
  opened.validation = std::make_unique<EvalWindows>(
      config.eval.batches > 0 ? all.spread(config.eval.batches * config.train.batch_size) : all);
  if (config.train.steps == 0) return opened;
  const auto train = open(data.train, "tokenize train");
  if (!train) return opened;
  add_to(digest, *train);
  opened.digest = io::to_hex(digest.finish());
  opened.loader = std::make_unique<Loader>(std::vector{train}, loader_options(config, tokenizer));
  if (config.train.batch_size > opened.loader->windows())
    fail_key("train.batch_size",
             "= {} is larger than the data: data.train holds {} windows of {} tokens; lower it or "
             "data.sequence_length, or give more text",
             config.train.batch_size, opened.loader->windows(), data.sequence_length);
  return opened;
}

bool is_packed(const DataOptions& options) {
  return options.format != "text" || packing_of(options) == Packing::kDocuments;
}

nlohmann::json to_json(const DataSummary& summary) {
  return {{"documents", summary.counts.documents},
          {"windows", summary.windows},
          {"cut_documents", summary.counts.cut},
          {"single_token_documents", summary.counts.single},
          {"parts_without_answer", summary.counts.unscored},
          {"learned_tokens", summary.counts.targets},
          {"filled_tokens", summary.counts.positions}};
}

std::string to_text(const DataSummary& summary, const DataOptions& options) {
  const PackingCounts& counts = summary.counts;
  std::string text = fmt::format(
      "data.train: {} in {} of {} tokens, {:.0f}% filled, {} learned", format_items(counts.documents, "document"),
      format_items(summary.windows, "window"), options.sequence_length,
      100.0 * static_cast<double>(counts.positions) / static_cast<double>(summary.windows * options.sequence_length),
      format_items(counts.targets, "token"));
  if (counts.cut > 0) text += fmt::format("; {} documents longer than a window are cut", counts.cut);
  if (counts.unscored > 0) text += fmt::format("; {} parts without an answer are left out", counts.unscored);
  if (counts.single > 0) text += fmt::format("; {} documents of a single token have nothing to predict", counts.single);
  return text;
}

}  // namespace detent
