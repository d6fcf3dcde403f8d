// Text documents into a token shard.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "detent/data/corpus_files.h"
#include "detent/data/tokenizer.h"
#include "detent/io/token_shard.h"

namespace detent {

struct TextShardOptions {
  std::string field = "text", separator = {};  // as for_each_part takes them
  int threads = 1;
};

// Of the text: tokens without the BOS and the end of text around documents.
struct TextCounts {
  uint64_t documents = 0, tokens = 0, bytes = 0;
};

// Called with the ids of the text in order.
using TakeIds = std::function<void(std::span<const int32_t> ids)>;

// Appends the documents of files to writer, each after a BOS and before the end of text where the tokenizer has them:
// what encode_text gives, on several threads. take may be empty.
TextCounts write_text(const std::vector<std::filesystem::path>& files, const TextShardOptions& options,
                      const Tokenizer& tokenizer, const CorpusProgress& progress, const TakeIds& take,
                      io::TokenShardWriter& writer);

}  // namespace detent
