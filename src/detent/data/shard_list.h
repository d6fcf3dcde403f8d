// tokens.json of a folder of token shards (shard_folder.h).
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "detent/data/text_shard.h"

namespace detent {

struct ShardEntry {
  std::string name;         // of the file in the folder
  std::string fingerprint;  // also in the shard
  TextCounts text = {};     // 0 documents: not written yet
};

struct ShardList {
  std::string fingerprint;  // of all that decides the ids
  std::string tokenizer;    // Tokenizer::fingerprint()
  bool ends = false;        // an end of text follows each document
  std::vector<ShardEntry> shards;
};

inline constexpr const char* kShardListName = "tokens.json";

// Nothing when the folder has none. Fails on one that is malformed or names a file outside the folder.
std::optional<ShardList> read_shard_list(const std::filesystem::path& folder);
void write_shard_list(const std::filesystem::path& folder, const ShardList& list);

}  // namespace detent
