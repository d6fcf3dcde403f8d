#include "detent/data/corpus.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <system_error>

#include "detent/base/error.h"
#include "detent/data/encoder.h"
#include "detent/data/instruction.h"
#include "detent/data/json_line.h"
#include "detent/data/shard_folder.h"
#include "detent/data/shard_tokens.h"
#include "detent/data/text_fingerprint.h"
#include "detent/data/text_shard.h"
#include "detent/io/descriptor.h"

namespace detent {

namespace {

namespace fs = std::filesystem;

// Waits until no other process builds this shard. Where the file system has no locks, several may build it at once,
// which costs time only: each renames a complete file into place.
class BuildLock {
 public:
  explicit BuildLock(const fs::path& shard) {
    const std::string path = shard.string() + ".lock";
    file_ = io::Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (!file_) fail_machine("cannot write {}: {}", path, std::system_category().message(errno));
    int result;
    do result = ::flock(file_.get(), LOCK_EX);
    while (result != 0 && errno == EINTR);
    held_ = result == 0;
  }
  bool held() const { return held_; }

 private:
  io::Descriptor file_;
  bool held_ = false;
};

// What a crashed builder of this shard left; to be called under its lock.
void remove_leftovers(const fs::path& shard) {
  const std::string prefix = shard.filename().string() + ".tmp-";
  for (const fs::directory_entry& entry : fs::directory_iterator(shard.parent_path()))
    if (entry.path().filename().string().starts_with(prefix)) fs::remove(entry.path());
}

// The shard when it is there and whole.
std::shared_ptr<const ShardTokens> try_open(const fs::path& path, const std::string& fingerprint) {
  if (!fs::exists(path)) return nullptr;
  try {
    auto tokens = std::make_shared<ShardTokens>(path);
    return tokens->shard().fingerprint() == fingerprint ? tokens : nullptr;
  } catch (const Error& error) {
    if (error.code() != ExitCode::kBadInput) throw;
    return nullptr;
  }
}

void for_each_encoded(const std::vector<fs::path>& files, const DataOptions& options, const Tokenizer& tokenizer,
                      const CorpusProgress& progress, const std::function<void(const EncodedDocument&)>& take) {
  const DataFormat format = parse_data_format(options.format);
  if (format == DataFormat::kText) {
    for_each_document(files, options.field, options.separator, progress,
                      [&](std::string_view document) { take(encode_text(document, tokenizer)); });
    return;
  }
  const InstructionEncoder encoder(format, options.chat_format, tokenizer);
  for_each_line(files, kMaxJsonLine, progress,
                [&](std::string_view line, const std::string& where) { take(encoder.encode(line, where)); });
}

void build(const fs::path& path, const std::string& fingerprint, const std::vector<fs::path>& files,
           const DataOptions& options, const Tokenizer& tokenizer, const CorpusProgress& progress) {
  io::TokenShardWriter writer(path, static_cast<uint64_t>(tokenizer.vocab_size()), fingerprint);
  if (parse_data_format(options.format) == DataFormat::kText) {
    tokenizer.end_of_text();  // fails without one
    write_text(files, {options.field, options.separator, default_threads()}, tokenizer, progress, {}, writer);
  } else {
    for_each_encoded(files, options, tokenizer, progress, [&](const EncodedDocument& document) {
      const uint64_t start = writer.size();
      writer.write(std::span<const int32_t>(document.ids));
      for (const TokenRange& range : document.scored) writer.score({start + range.begin, start + range.end});
      writer.end_document();
    });
  }
  if (writer.size() == 0) fail("{}: there is no text in these files; name others", files.front().string());
  writer.finish();
}

// Text that detent tokenize has made into shards.
Corpus open_shards(const fs::path& folder, const DataOptions& options, const Tokenizer& tokenizer) {
  if (parse_data_format(options.format) != DataFormat::kText)
    fail("{} holds tokens of plain text; data.format: {} needs .jsonl files", folder.string(), options.format);
  tokenizer.end_of_text();  // fails without one
  return {open_shard_folder(folder, tokenizer), {}, folder, false};
}

// The shard of these files as far as it is there: its name, and its tokens when it is whole.
Corpus find_corpus(const std::vector<fs::path>& files, const DataOptions& options, const Tokenizer& tokenizer,
                   const fs::path& cache) {
  Corpus corpus;
  corpus.fingerprint = text_fingerprint(
      files, {options.field, options.separator, options.format, options.chat_format.value_or("")}, tokenizer);
  corpus.path = cache / fmt::format("{}.tokens", corpus.fingerprint.substr(0, 16));
  corpus.tokens = try_open(corpus.path, corpus.fingerprint);
  return corpus;
}

void create_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_machine("cannot create the cache folder {}: {}", folder.string(), error.message());
}

}  // namespace

Corpus open_corpus(const std::vector<std::string>& paths, const DataOptions& options, const Tokenizer& tokenizer,
                   const fs::path& cache, const CorpusProgress& progress) {
  if (paths.size() == 1 && is_shard_folder(paths[0])) return open_shards(paths[0], options, tokenizer);
  const std::vector<fs::path> files = expand_paths(paths);
  Corpus corpus = find_corpus(files, options, tokenizer, cache);
  if (corpus.tokens) return corpus;
  create_folder(cache);
  const BuildLock lock(corpus.path);
  corpus.tokens = try_open(corpus.path, corpus.fingerprint);  // another process may just have built it
  if (corpus.tokens) return corpus;
  if (lock.held()) remove_leftovers(corpus.path);
  build(corpus.path, corpus.fingerprint, files, options, tokenizer, progress);
  corpus.tokens = std::make_shared<ShardTokens>(corpus.path);
  corpus.built = true;
  return corpus;
}

EncodedDocument encode_text(std::string_view document, const Tokenizer& tokenizer) {
  EncodedDocument encoded;
  if (const auto bos = tokenizer.bos()) encoded.ids.push_back(*bos);
  const std::vector<int32_t> ids = tokenizer.encode(document);
  encoded.ids.insert(encoded.ids.end(), ids.begin(), ids.end());
  encoded.ids.push_back(tokenizer.end_of_text());
  return encoded;
}

std::shared_ptr<const Tokens> encode_corpus(const std::vector<std::string>& paths, const DataOptions& options,
                                            const Tokenizer& tokenizer, const CorpusProgress& progress) {
  if (paths.size() == 1 && is_shard_folder(paths[0])) return open_shards(paths[0], options, tokenizer).tokens;
  std::vector<int32_t> ids;
  std::vector<uint64_t> ends;
  std::vector<TokenRange> scored;
  for_each_encoded(expand_paths(paths), options, tokenizer, progress, [&](const EncodedDocument& document) {
    for (const TokenRange& range : document.scored)
      scored.push_back({ids.size() + range.begin, ids.size() + range.end});
    ids.insert(ids.end(), document.ids.begin(), document.ids.end());
    ends.push_back(ids.size());
  });
  return std::make_shared<TokensInMemory>(std::move(ids), std::move(ends), std::move(scored));
}

std::shared_ptr<const Tokens> read_corpus(const std::vector<std::string>& paths, const DataOptions& options,
                                          const Tokenizer& tokenizer, const fs::path& cache,
                                          const CorpusProgress& progress) {
  const bool shards = paths.size() == 1 && is_shard_folder(paths[0]);
  auto found = shards ? nullptr : find_corpus(expand_paths(paths), options, tokenizer, cache).tokens;
  if (found) return found;
  uintmax_t bytes = 0;
  for (const fs::path& file : shards ? std::vector<fs::path>{} : expand_paths(paths)) bytes += fs::file_size(file);
  return bytes > kMostRead ? nullptr : encode_corpus(paths, options, tokenizer, progress);
}

FileKinds kinds_of_corpora(const std::vector<std::vector<std::string>>& corpora) {
  FileKinds all;
  for (const std::vector<std::string>& paths : corpora) {
    if (paths.empty() || (paths.size() == 1 && is_shard_folder(paths[0]))) continue;
    const FileKinds kinds = kinds_of(expand_paths(paths));
    all = {all.lines || kinds.lines, all.text || kinds.text};
  }
  return all;
}

std::vector<std::string> read_documents(const std::vector<std::string>& paths, const std::string& field,
                                        const std::string& separator) {
  std::vector<std::string> documents;
  for_each_document(expand_paths(paths), field, separator, {},
                    [&](std::string_view document) { documents.emplace_back(document); });
  return documents;
}

}  // namespace detent
