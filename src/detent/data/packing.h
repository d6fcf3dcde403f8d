// Which ids make up each training window.
#pragma once
#include <cstdint>
#include <vector>

#include "detent/data/tokens.h"

namespace detent {

enum class Packing {
  kStream,     // the documents as one stream, cut every `length` ids
  kDocuments,  // whole documents side by side, as many as fit; longer ones cut into consecutive windows
};

// A part of a window: ids first .. first + length - 1 are inputs, the target of each is the id after it.
struct Piece {
  int64_t first = 0, length = 0;
  bool operator==(const Piece&) const = default;
};

// What a packing did; nothing is left out but what it counts here.
struct PackingCounts {
  int64_t documents = 0;
  int64_t cut = 0;        // documents of more than one window
  int64_t single = 0;     // documents of a single id: there is nothing to predict (kDocuments)
  int64_t unscored = 0;   // windows, or parts of cut documents, without an id whose loss counts
  int64_t targets = 0;    // ids whose loss counts, in an epoch
  int64_t positions = 0;  // of all windows that hold an id, not padding
  PackingCounts& operator+=(const PackingCounts& other);
};

// The windows of a shard, each with at least one target whose loss counts. With kStream, window w has inputs
// ids[wT .. wT+T) and targets ids[wT+1 .. wT+T], T = length: each id but the shard's first is a target once. With
// kDocuments, each id but a document's first is a target once, and no target belongs to another document than its
// input. Pieces shorter than a window are packed best-fit decreasing (Johnson 1974: at most 11/9 of the fewest windows
// plus a constant), a pure function of the lengths.
class Windows {
 public:
  Windows(const Tokens& tokens, Packing packing, int64_t length);

  int64_t size() const { return size_; }
  std::vector<Piece> pieces(int64_t window) const;  // side by side from the left, together at most `length` long
  const PackingCounts& counts() const { return counts_; }

 private:
  Piece stream_window(int64_t number) const;
  void keep_scored_windows(const Tokens& tokens);
  void cut_documents(const Tokens& tokens);
  void pack(std::vector<Piece> pieces);
  bool take_scored(const Tokens& tokens, const Piece& piece);

  int64_t length_, targets_;  // targets_: of the stream
  int64_t size_ = 0;
  std::vector<Piece> pieces_;    // of all windows; none: the stream's, computed
  std::vector<int64_t> starts_;  // of each window in pieces_, and the end
  PackingCounts counts_;
};

}  // namespace detent
