#include "detent/data/batch.h"

namespace detent {

void Batch::fill_row(int64_t row, std::span<const int32_t> ids, int64_t scored_from) {
  const int64_t start = row * columns;
  for (int64_t i = 0; i + 1 < static_cast<int64_t>(ids.size()); ++i) {
    inputs[start + i] = ids[i];
    if (i + 1 < scored_from) continue;
    targets[start + i] = ids[i + 1];
    ++scored;
  }
}

}  // namespace detent
