#include "detent/data/loader.h"

#include <algorithm>

#include "detent/base/error.h"
#include "detent/data/shuffle.h"

namespace detent {

Loader::Loader(std::vector<std::shared_ptr<const Tokens>> shards, const LoaderOptions& options)
    : shards_(std::move(shards)), options_(options) {
  const int64_t length = options.sequence_length;
  if (length < 1) fail("[loader] data.sequence_length is {}; it must be at least 1", length);
  for (const auto& shard : shards_) {
    packed_.emplace_back(*shard, options.packing, length);
    counts_ += packed_.back().counts();
    ends_.push_back(windows_ += packed_.back().size());
  }
  if (windows_ == 0) fail("[loader] the training data holds fewer than two tokens; name files with text in data.train");
}

Batch Loader::next(int64_t batch_size) {
  Batch batch = at(cursor_, batch_size);
  cursor_ = after(cursor_, batch_size);
  return batch;
}

Batch Loader::at(Cursor cursor, int64_t batch_size) const {
  check(batch_size);
  Batch batch(batch_size, options_.sequence_length, options_.padding);
  for (int64_t row = 0; row < batch_size; ++row) {
    const Permutation order(options_.seed, cursor.epoch, windows_);
    fill(batch, row, order(cursor.position));
    cursor = after(cursor, 1);
  }
  return batch;
}

void Loader::check(int64_t batch_size) const {
  if (batch_size < 1) fail("[loader] a batch of {} windows was asked for; it needs at least one", batch_size);
  if (batch_size > windows_)
    fail(
        "[loader] a batch of {} windows is larger than the data, {} windows of {} tokens; lower train.batch_size or "
        "data.sequence_length, or give more data",
        batch_size, windows_, options_.sequence_length);
}

void Loader::fill(Batch& batch, int64_t row, int64_t window) const {
  const size_t index = std::upper_bound(ends_.begin(), ends_.end(), window) - ends_.begin();
  const Tokens& shard = *shards_[index];
  int64_t column = 0, number = 0;
  for (const Piece& piece : packed_[index].pieces(window - (index == 0 ? 0 : ends_[index - 1]))) {
    batch.start_segment(row, column, number++);
    batch.fill_row(row, shard.read(piece.first, piece.length + 1), shard.scored_in(piece.first, piece.length + 1),
                   column);
    column += piece.length;
  }
  // What is left belongs to no document, so that the last one is as long as it is.
  if (options_.packing == Packing::kDocuments && column < batch.columns) batch.start_segment(row, column, number);
}

void Loader::seek(Cursor cursor) {
  if (cursor.epoch < 0 || cursor.position < 0 || cursor.position > windows_)
    fail(
        "[loader] there is no window {} in epoch {}: the data has {} windows; resume with the data and "
        "sequence_length of the checkpoint",
        cursor.position, cursor.epoch, windows_);
  cursor_ = after(cursor, 0);
}

Cursor Loader::after(Cursor cursor, int64_t windows) const {
  const int64_t position = cursor.position + windows;
  return {cursor.epoch + position / windows_, position % windows_};
}

}  // namespace detent
