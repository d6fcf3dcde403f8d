// Text files as a shard of token ids, built once and kept in a cache folder.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "detent/data/data_options.h"
#include "detent/data/tokenizer.h"
#include "detent/data/tokens.h"

namespace detent {

struct Corpus {
  std::shared_ptr<const Tokens> tokens;  // memory-mapped: documents in order, each followed by the end of text
  std::string fingerprint;               // of the tokenizer, the files' paths, sizes and times, field and separator
  std::filesystem::path path;            // the shard
  bool built = false;                    // by this call; false: it was there
};

// Bytes of the files read so far (as stored, before decompression), and in all.
using CorpusProgress = std::function<void(uint64_t done, uint64_t total)>;

// The shard of `paths` (options.train or options.valid). cache is created if missing. Any number of processes may call
// this at once: one builds, the others wait for it; a crash leaves no broken shard. Fails naming the file (and line)
// when one is missing or malformed, and when there is no text at all.
Corpus open_corpus(const std::vector<std::string>& paths, const DataOptions& options, const Tokenizer& tokenizer,
                   const std::filesystem::path& cache, const CorpusProgress& progress = {});

// The documents of files as text, for evaluation.
std::vector<std::string> read_documents(const std::vector<std::string>& paths, const std::string& field,
                                        const std::string& separator);

// The files that paths stand for: a file is itself; a * in the last component matches within its folder, in sorted
// order; a folder gives its .txt and .py files, recursively, in sorted order. Fails when one stands for no file.
std::vector<std::filesystem::path> expand_paths(const std::vector<std::string>& paths);

}  // namespace detent
