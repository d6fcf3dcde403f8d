// Data files as a shard of token ids, built once and kept in a cache folder.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "detent/data/corpus_files.h"
#include "detent/data/data_options.h"
#include "detent/data/tokenizer.h"
#include "detent/data/tokens.h"

namespace detent {

// What a shard holds. Text: each document after a BOS where the tokenizer has one, followed by the end of text.
// Messages: the ids of the chat format. Prompt and completion: see InstructionEncoder; only the answers are scored.
struct Corpus {
  std::shared_ptr<const Tokens> tokens;  // memory-mapped
  std::string fingerprint;               // of the tokenizer, the files' paths, sizes and times, and the options
  std::filesystem::path path;            // the shard, or the folder of shards
  bool built = false;                    // by this call; false: it was there
};

// The shard of `paths` (options.train or options.valid); a single shard folder (shard_folder.h) is taken as it is.
// cache is created if missing. Any number of processes may call this at once: one builds, the others wait for it. A
// crash leaves no broken shard, and one that fails its checksum or is of another version is built again. Fails like
// expand_paths, for_each_document and InstructionEncoder.
Corpus open_corpus(const std::vector<std::string>& paths, const DataOptions& options, const Tokenizer& tokenizer,
                   const std::filesystem::path& cache, const CorpusProgress& progress = {});

// The same ids without writing a file.
std::shared_ptr<const Tokens> encode_corpus(const std::vector<std::string>& paths, const DataOptions& options,
                                            const Tokenizer& tokenizer, const CorpusProgress& progress = {});

// A text document as it stands in a shard.
EncodedDocument encode_text(std::string_view document, const Tokenizer& tokenizer);

// What open_corpus has left in the cache, or else what encode_corpus gives; null where that would take files of more
// than kMostRead bytes into memory.
inline constexpr uintmax_t kMostRead = uintmax_t{1} << 29;
std::shared_ptr<const Tokens> read_corpus(const std::vector<std::string>& paths, const DataOptions& options,
                                          const Tokenizer& tokenizer, const std::filesystem::path& cache,
                                          const CorpusProgress& progress = {});

// kinds_of the files of several lists; a shard folder is of neither kind.
FileKinds kinds_of_corpora(const std::vector<std::vector<std::string>>& corpora);

// The documents as text, for evaluation.
std::vector<std::string> read_documents(const std::vector<std::string>& paths, const std::string& field,
                                        const std::string& separator);

}  // namespace detent
