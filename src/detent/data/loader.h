// Batches for training: every window of the data once an epoch, in an order that a cursor of two numbers reproduces.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "detent/data/batch.h"
#include "detent/data/packing.h"
#include "detent/data/tokens.h"

namespace detent {

// How many windows have been handed out: position of them in this epoch.
struct Cursor {
  int64_t epoch = 0, position = 0;
  bool operator==(const Cursor&) const = default;
};

struct LoaderOptions {
  int64_t sequence_length = 256;
  uint64_t seed = 0;
  int32_t padding = 0;  // input id after the end of a short window, e.g. the end of text; never scored
  Packing packing = Packing::kStream;
};

// The windows of each shard are those of its packing (Windows); short ones are padded. Windows of several shards are
// numbered one shard after the other and shuffled together (Permutation). A batch of which some row holds several
// documents names the document of each position in Batch::segments.
class Loader {
 public:
  // Fails when the shards hold no window with a target whose loss counts, or sequence_length < 1.
  Loader(std::vector<std::shared_ptr<const Tokens>> shards, const LoaderOptions& options);

  // The next batch_size windows; a batch may hold the end of one epoch and the start of the next. Fails when
  // batch_size is below one or above windows().
  Batch next(int64_t batch_size);
  // What next would give at cursor, without moving.
  Batch at(Cursor cursor, int64_t batch_size) const;

  int64_t windows() const { return windows_; }        // an epoch
  int64_t tokens() const { return counts_.targets; }  // targets of an epoch whose loss counts
  const PackingCounts& counts() const { return counts_; }
  Cursor cursor() const { return cursor_; }            // position < windows()
  void seek(Cursor cursor);                            // fails when no such position exists
  Cursor after(Cursor cursor, int64_t windows) const;  // the cursor that many windows later

 private:
  void check(int64_t batch_size) const;
  void fill(Batch& batch, int64_t row, int64_t window) const;

  std::vector<std::shared_ptr<const Tokens>> shards_;
  LoaderOptions options_;
  std::vector<Windows> packed_;  // of each shard
  std::vector<int64_t> ends_;    // windows up to and with each shard
  int64_t windows_ = 0;
  PackingCounts counts_;
  Cursor cursor_;
};

}  // namespace detent
