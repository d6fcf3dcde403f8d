#pragma once
#include "detent/kernels/hadamard/hadamard.h"
#include "detent/kernels/harness/inputs.h"

namespace detent::kernels {

inline const std::vector<int64_t>& hadamard_blocks() {
  static const std::vector<int64_t> blocks = {1, 2, 4, 8, 16, 32, 64, 128};
  return blocks;
}

}  // namespace detent::kernels
