#pragma once
#include "detent/kernels/harness/inputs.h"
#include "detent/kernels/noise/noise.h"

namespace detent::kernels {

// First elements: around a block, around a vector of blocks, and where the counter's low word wraps.
inline std::vector<uint64_t> noise_starts() {
  std::vector<uint64_t> starts;
  for (uint64_t first = 0; first < 9; ++first) starts.push_back(first);
  const uint64_t wrap = uint64_t{4} << 32;
  for (uint64_t back : {130, 64, 33, 17, 16, 5, 4, 3, 1, 0}) starts.push_back(wrap - back);
  starts.push_back(uint64_t{1} << 60);
  return starts;
}

}  // namespace detent::kernels
