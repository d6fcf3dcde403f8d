// What the model reads and what it should say.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "detent/data/tokens.h"

namespace detent {

inline constexpr int64_t kNotScored = -100;  // a target without a loss: PyTorch's ignore_index

// [rows, columns], row-major. The loss of position (r, c) compares the prediction after inputs[r, 0..c] with
// targets[r, c], so the mask belongs to the target.
struct Batch {
  std::vector<int64_t> inputs, targets;
  std::vector<int64_t> segments;  // number of each position's document within its row; empty: a row is one document
  int64_t rows = 0, columns = 0;
  int64_t scored = 0;  // targets that are not kNotScored

  Batch() = default;
  Batch(int64_t row_count, int64_t column_count, int32_t padding)
      : inputs(static_cast<size_t>(row_count * column_count), padding),
        targets(inputs.size(), kNotScored),
        rows(row_count),
        columns(column_count) {}

  // Row r from `column` on, from consecutive ids: inputs all but the last, targets those of `scored` (indices into ids;
  // the first id is no target). What is left of the row stays padding.
  void fill_row(int64_t row, std::span<const int32_t> ids, std::span<const TokenRange> scored, int64_t column = 0);
  void fill_row(int64_t row, std::span<const int32_t> ids) {
    fill_row(row, ids, std::vector{TokenRange{0, ids.size()}});
  }
  // From `column` on the row holds another document, its number-th, counted from 0.
  void start_segment(int64_t row, int64_t column, int64_t number);
};

}  // namespace detent
