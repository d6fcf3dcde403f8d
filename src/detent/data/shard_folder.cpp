#include "detent/data/shard_folder.h"

#include <algorithm>
#include <system_error>

#include "detent/base/error.h"
#include "detent/data/shard_list.h"
#include "detent/data/shard_tokens.h"
#include "detent/data/text_fingerprint.h"
#include "detent/io/atomic_file.h"
#include "detent/io/dir_lock.h"
#include "detent/io/sha256.h"

namespace detent {

namespace {

namespace fs = std::filesystem;

// Hands on the ids of the text in a shard, document by document, without the BOS and the end of text around each.
void give_text_ids(const io::TokenShard& shard, bool begins, bool ends, const TakeIds& take) {
  constexpr uint64_t kChunk = 1 << 16;
  std::vector<int32_t> ids;
  uint64_t begin = 0;
  for (const uint64_t end : shard.document_ends()) {
    const uint64_t text_end = end - (ends ? 1 : 0);
    for (uint64_t at = begin + (begins ? 1 : 0); at < text_end; at += ids.size()) {
      ids.resize(std::min(kChunk, text_end - at));
      shard.copy(at, ids);
      take(ids);
    }
    begin = end;
  }
}

bool is_of(const io::TokenShard& shard, const ShardEntry& entry) {
  return shard.fingerprint() == entry.fingerprint && shard.document_ends().size() == entry.text.documents;
}

class Writer {
 public:
  Writer(const std::vector<fs::path>& files, const TextShardOptions& options, const Tokenizer& tokenizer,
         const fs::path& folder, const CorpusProgress& progress, const TakeIds& take)
      : files_(files), options_(options), tokenizer_(tokenizer), folder_(folder), progress_(progress), take_(take) {
    list_.fingerprint = text_fingerprint(files, {options.field, options.separator}, tokenizer);
    list_.tokenizer = tokenizer.fingerprint();
    list_.ends = tokenizer.eos().has_value();
    for (size_t i = 0; i < files.size(); ++i)
      list_.shards.push_back({fmt::format("{:05}-{}.tokens", i, files[i].stem().string()),
                              text_fingerprint({files[i]}, {options.field, options.separator}, tokenizer)});
    for (const fs::path& file : files) total_ += fs::file_size(file);
  }

  ShardFolderSummary run() {
    take_over();
    ShardFolderSummary summary;
    for (size_t i = 0; i < files_.size(); ++i) {
      ShardEntry& entry = list_.shards[i];
      if (keep(entry)) {
        ++summary.kept;
        done_ += fs::file_size(files_[i]);
        if (progress_) progress_(done_, total_);
      } else {
        write(i, entry);
        write_shard_list(folder_, list_);
      }
      summary.text.documents += entry.text.documents;
      summary.text.tokens += entry.text.tokens;
      summary.text.bytes += entry.text.bytes;
    }
    summary.shards = files_.size();
    summary.ids_sha256 = io::to_hex(digest_.finish());
    return summary;
  }

 private:
  // What an earlier call left: its shards if it was about the same.
  void take_over() {
    std::optional<ShardList> old = read_shard_list(folder_);
    if (old && old->fingerprint != list_.fingerprint)
      fail("{} holds tokens of other text, another tokenizer or other options; remove it or choose another folder",
           folder_.string());
    io::remove_stale_temporaries(folder_);
    if (old && old->shards.size() == list_.shards.size()) list_.shards = std::move(old->shards);
    if (!old) write_shard_list(folder_, list_);
  }

  bool keep(const ShardEntry& entry) {
    const fs::path path = folder_ / entry.name;
    if (entry.text.documents == 0 || !fs::exists(path)) return false;
    try {
      const io::TokenShard shard(path);
      if (!is_of(shard, entry)) return false;
      give_text_ids(shard, tokenizer_.bos().has_value(), list_.ends, [&](std::span<const int32_t> ids) { give(ids); });
      return true;
    } catch (const Error& error) {
      if (error.code() != ExitCode::kBadInput) throw;
      return false;
    }
  }

  void write(size_t number, ShardEntry& entry) {
    entry.text = {};
    io::TokenShardWriter writer(folder_ / entry.name, static_cast<uint64_t>(tokenizer_.vocab_size()),
                                entry.fingerprint);
    const CorpusProgress progress = [&](uint64_t done, uint64_t) {
      if (progress_) progress_(done_ + done, total_);
    };
    const TextCounts counts = write_text(
        {files_[number]}, options_, tokenizer_, progress, [&](std::span<const int32_t> ids) { give(ids); }, writer);
    writer.finish();
    entry.text = counts;
    done_ += fs::file_size(files_[number]);
  }

  void give(std::span<const int32_t> ids) {
    digest_.update(std::as_bytes(ids));
    if (take_) take_(ids);
  }

  const std::vector<fs::path>& files_;
  const TextShardOptions& options_;
  const Tokenizer& tokenizer_;
  const fs::path& folder_;
  const CorpusProgress& progress_;
  const TakeIds& take_;
  ShardList list_;
  io::Sha256 digest_;
  uint64_t done_ = 0, total_ = 0;  // bytes of files
};

// Shards in a row.
class ShardRow : public Tokens {
 public:
  explicit ShardRow(std::vector<std::unique_ptr<ShardTokens>> shards) : shards_(std::move(shards)) {
    for (const auto& shard : shards_) {
      for (const uint64_t end : shard->document_ends()) document_ends_.push_back(static_cast<uint64_t>(size()) + end);
      ends_.push_back(size() + shard->size());
    }
  }
  using Tokens::read;
  int64_t size() const override { return ends_.empty() ? 0 : ends_.back(); }
  void read(int64_t first, std::span<int32_t> out) const override {
    auto shard = static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), first) - ends_.begin());
    while (!out.empty()) {
      const int64_t begin = shard == 0 ? 0 : ends_[shard - 1];
      const auto here = std::min(out.size(), static_cast<size_t>(ends_[shard] - first));
      shards_[shard]->read(first - begin, out.first(here));
      out = out.subspan(here);
      first = ends_[shard++];
    }
  }
  std::span<const uint64_t> document_ends() const override { return document_ends_; }
  std::span<const TokenRange> scored() const override { return {}; }

 private:
  std::vector<std::unique_ptr<ShardTokens>> shards_;
  std::vector<int64_t> ends_;  // ids up to and with each shard
  std::vector<uint64_t> document_ends_;
};

}  // namespace

ShardFolderSummary write_shard_folder(const std::vector<fs::path>& files, const TextShardOptions& options,
                                      const Tokenizer& tokenizer, const fs::path& folder,
                                      const CorpusProgress& progress, const TakeIds& take) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_machine("cannot create the folder {}: {}", folder.string(), error.message());
  const io::DirLock lock(folder);
  return Writer(files, options, tokenizer, folder, progress, take).run();
}

bool is_shard_folder(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_regular_file(folder / kShardListName, ignored);
}

std::shared_ptr<const Tokens> open_shard_folder(const fs::path& folder, const Tokenizer& tokenizer) {
  const std::optional<ShardList> list = read_shard_list(folder);
  if (!list) fail("{} holds no token shards; make them with detent tokenize", folder.string());
  if (list->tokenizer != tokenizer.fingerprint())
    fail("{} was made with another tokenizer than {}; tokenize the text again", folder.string(), tokenizer.name());
  std::vector<std::unique_ptr<ShardTokens>> shards;
  for (const ShardEntry& entry : list->shards) {
    if (entry.text.documents == 0)
      fail("{} is not finished: {} is missing; run detent tokenize again with the same arguments", folder.string(),
           entry.name);
    shards.push_back(std::make_unique<ShardTokens>(folder / entry.name));
    if (!is_of(shards.back()->shard(), entry))
      fail("{} does not hold what {} says of it; run detent tokenize again with the same arguments",
           (folder / entry.name).string(), kShardListName);
  }
  return std::make_shared<ShardRow>(std::move(shards));
}

}  // namespace detent
