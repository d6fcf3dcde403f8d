// Which ids are scored, and after how much context, when a model is evaluated.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "detent/data/batch.h"
#include "detent/data/tokenizer.h"
#include "detent/data/tokens.h"

namespace detent {

struct EvalOptions {
  int64_t context = 256;  // ids of a window, a BOS included
  int64_t stride = 0;     // ids from window to window; 0: windows do not overlap
};

// Each document is cut into windows of `context` ids. With a BOS a window is that id and context - 1 ids of text, all
// of which can be scored; without, context ids of text whose first cannot. A window scores the ids that no earlier
// window held: the first one all it can, the next ones the last `stride` (fewer at the end of the document). A window
// of fewer than two ids is dropped and counted.
class EvalWindows {
 public:
  // The documents of a token shard: what lies between end-of-text ids, which themselves are never read nor scored.
  EvalWindows(std::shared_ptr<const Tokens> shard, const Tokenizer& tokenizer, const EvalOptions& options);
  // Documents as text.
  EvalWindows(const std::vector<std::string>& documents, const Tokenizer& tokenizer, const EvalOptions& options);

  int64_t size() const { return static_cast<int64_t>(windows_.size()); }
  int64_t dropped() const { return dropped_; }        // windows of fewer than two ids
  int64_t documents() const { return documents_; }    // empty ones included
  int64_t tokens() const;                             // scored ids of all windows
  int64_t bytes() const;                              // of the text of the scored ids
  int64_t text_bytes() const { return text_bytes_; }  // of all documents, scored or not

  // Windows first .. first + count (clipped at the end) in order; columns is the longest window less one.
  Batch batch(int64_t first, int64_t count) const;
  // n of the windows (all when there are fewer), evenly spread over the documents: the middles of n equal shares.
  EvalWindows spread(int64_t n) const;

 private:
  struct Window {
    int64_t first;        // in source_
    int32_t length;       // ids of text
    int32_t scored_from;  // the first of them that is scored
  };
  void check() const;
  int64_t text_ids() const;  // of a full window
  void read_documents(int32_t end_of_text);
  void cut(int64_t first, int64_t length);
  std::vector<int32_t> ids(const Window& window) const;

  std::shared_ptr<const Tokens> source_;
  EvalOptions options_;
  std::optional<int32_t> bos_;
  int32_t padding_ = 0;
  std::vector<int32_t> id_bytes_;  // bytes of text of each id
  std::vector<Window> windows_;
  int64_t dropped_ = 0, documents_ = 0, text_bytes_ = 0;
};

}  // namespace detent
