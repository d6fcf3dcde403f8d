// A folder of token shards, one for each text file, and tokens.json, which lists them.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "detent/data/corpus_files.h"
#include "detent/data/tokenizer.h"
#include "detent/data/tokens.h"

namespace detent {

struct ShardFolderOptions {
  std::string field = "text", separator = {};  // as for_each_part takes them
  int threads = 1;
};

struct ShardFolderSummary {
  uint64_t documents = 0, tokens = 0,
           bytes = 0;           // tokens of the text, without the BOS and the end of text around documents
  std::string ids_sha256;       // of those tokens as little-endian int32, all documents as one piece
  size_t shards = 0, kept = 0;  // kept: shards that were there already
};

// Called with the ids of the text in order, those of kept shards included.
using TakeIds = std::function<void(std::span<const int32_t> ids)>;

// Writes folder, created if missing: shard n is the documents of files[n], each after a BOS and before the end of text
// where the tokenizer has them. Every file appears whole or not at all, and a call that was cut short is taken up by
// the next one with the same arguments: shards that are whole stay, and the bytes in the end are the same. One process
// at a time; fails when the folder holds shards of other text, options or tokenizer. progress may throw to stop.
ShardFolderSummary write_shard_folder(const std::vector<std::filesystem::path>& files,
                                      const ShardFolderOptions& options, const Tokenizer& tokenizer,
                                      const std::filesystem::path& folder, const CorpusProgress& progress,
                                      const TakeIds& take);

bool is_shard_folder(const std::filesystem::path& folder);
// Its tokens, one shard after the other; checks every shard's SHA-256. Fails when one is missing, unfinished, or of
// another tokenizer.
std::shared_ptr<const Tokens> open_shard_folder(const std::filesystem::path& folder, const Tokenizer& tokenizer);

}  // namespace detent
