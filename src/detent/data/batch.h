// What the model reads and what it should say.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace detent {

inline constexpr int64_t kNotScored = -100;  // a target without a loss: PyTorch's ignore_index

// [rows, columns], row-major. The loss of position (r, c) compares the prediction after inputs[r, 0..c] with
// targets[r, c], so the mask belongs to the target.
struct Batch {
  std::vector<int64_t> inputs, targets;
  int64_t rows = 0, columns = 0;
  int64_t scored = 0;  // targets that are not kNotScored

  Batch() = default;
  Batch(int64_t row_count, int64_t column_count, int32_t padding)
      : inputs(static_cast<size_t>(row_count * column_count), padding),
        targets(inputs.size(), kNotScored),
        rows(row_count),
        columns(column_count) {}

  // Row r from consecutive ids: inputs all but the last, targets all but the first, of which those before
  // ids[scored_from] are not scored. At most columns + 1 ids; what is left of the row stays padding.
  void fill_row(int64_t row, std::span<const int32_t> ids, int64_t scored_from = 1);
};

}  // namespace detent
