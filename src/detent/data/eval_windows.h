// The windows that a model is evaluated on.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "detent/data/batch.h"
#include "detent/data/eval_cut.h"
#include "detent/data/tokenizer.h"
#include "detent/data/tokens.h"

namespace detent {

// Each document is cut into windows by the convention of the options. Of instruction data only the answers are scored,
// after the ids as they stand (their format says whether a BOS begins them); a window without an answer is left out.
class EvalWindows {
 public:
  // The documents of a shard as open_corpus writes it: of text, neither a document's BOS nor its end of text is text.
  EvalWindows(std::shared_ptr<const Tokens> shard, const Tokenizer& tokenizer, const EvalOptions& options);
  // Documents as text.
  EvalWindows(const std::vector<std::string>& documents, const Tokenizer& tokenizer, const EvalOptions& options);

  const EvalOptions& options() const { return options_; }
  int64_t size() const { return static_cast<int64_t>(windows_.size()); }
  int64_t dropped() const { return dropped_; }          // windows left out by the convention
  int64_t dropped_ids() const { return dropped_ids_; }  // ids of text in them
  int64_t unscored() const { return unscored_; }        // windows left out for having no answer
  int64_t documents() const { return documents_; }      // empty ones included
  int64_t tokens() const;                               // scored ids of all windows
  int64_t bytes() const;                                // of the text of the scored ids
  int64_t text_bytes() const { return text_bytes_; }    // of all documents, scored or not

  // Windows first .. first + count (clipped at the end) in order; columns is the longest window less one.
  Batch batch(int64_t first, int64_t count) const;
  // How many of these windows, `most` or fewer, are as long as the first of them.
  int64_t equal_length(int64_t first, int64_t most) const;
  // n of the windows (all when there are fewer), evenly spread over the documents: the middles of n equal shares.
  EvalWindows spread(int64_t n) const;
  // The same windows, the longest first: batches of them hold little padding.
  EvalWindows by_length() const;

 private:
  enum class Source { kShard, kText };
  EvalWindows(std::shared_ptr<const Tokens> tokens, Source kind, const Tokenizer& tokenizer,
              const EvalOptions& options);
  void read_documents(Source kind, const Tokenizer& tokenizer);
  void check_ids(std::span<const int32_t> ids) const;
  TokenRange text_of(TokenRange document, const Tokenizer& tokenizer) const;
  void cut(TokenRange text);
  std::vector<TokenRange> scored_in(const EvalWindow& window) const;
  std::vector<int32_t> ids(const EvalWindow& window) const;

  std::shared_ptr<const Tokens> source_;
  EvalOptions options_;
  bool answers_only_;
  std::optional<int32_t> prefix_;  // stands before the first window, or before each
  int32_t padding_ = 0;
  std::vector<int32_t> id_bytes_;  // bytes of text of each id
  std::vector<EvalWindow> windows_;
  int64_t dropped_ = 0, dropped_ids_ = 0, unscored_ = 0, documents_ = 0, text_bytes_ = 0;
};

}  // namespace detent
