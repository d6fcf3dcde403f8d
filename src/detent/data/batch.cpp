#include "detent/data/batch.h"

#include <algorithm>

namespace detent {

void Batch::fill_row(int64_t row, std::span<const int32_t> ids, std::span<const TokenRange> scored_ids,
                     int64_t column) {
  if (ids.empty()) return;
  const auto start = static_cast<size_t>(row * columns + column);
  std::copy(ids.begin(), ids.end() - 1, inputs.begin() + static_cast<int64_t>(start));
  for (const TokenRange& range : scored_ids)
    for (uint64_t i = std::max<uint64_t>(range.begin, 1); i < range.end; ++i) {
      targets[start + i - 1] = ids[i];
      ++scored;
    }
}

void Batch::start_segment(int64_t row, int64_t column, int64_t number) {
  if (number == 0) return;
  if (segments.empty()) segments.resize(inputs.size());
  std::fill(segments.begin() + row * columns + column, segments.begin() + (row + 1) * columns, number);
}

}  // namespace detent
