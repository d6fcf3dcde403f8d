// A folder of token shards, one for each text file, and tokens.json, which lists them.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "detent/data/text_shard.h"
#include "detent/data/tokens.h"

namespace detent {

struct ShardFolderSummary {
  TextCounts text;
  std::string ids_sha256;       // of its tokens as little-endian int32, all documents as one piece
  size_t shards = 0, kept = 0;  // kept: shards that were there already
};

// Writes folder, created if missing: shard n is the documents of files[n] (write_text). take also gets the ids of kept
// shards. Every file appears whole or not at all, and a call that was cut short is taken up by
// the next one with the same arguments: shards that are whole stay, and the bytes in the end are the same. One process
// at a time; fails when the folder holds shards of other text, options or tokenizer. progress may throw to stop.
ShardFolderSummary write_shard_folder(const std::vector<std::filesystem::path>& files, const TextShardOptions& options,
                                      const Tokenizer& tokenizer, const std::filesystem::path& folder,
                                      const CorpusProgress& progress, const TakeIds& take);

bool is_shard_folder(const std::filesystem::path& folder);
// Its tokens, one shard after the other; checks every shard's SHA-256. Fails when one is missing, unfinished, or of
// another tokenizer.
std::shared_ptr<const Tokens> open_shard_folder(const std::filesystem::path& folder, const Tokenizer& tokenizer);

}  // namespace detent
