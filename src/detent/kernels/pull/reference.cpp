#include "detent/kernels/fake_quant/groups.h"
#include "detent/kernels/hadamard/hadamard.h"
#include "detent/kernels/optimizer/optimizer.h"
#include "detent/kernels/pull/pull.h"

namespace detent::kernels::reference {

void pull_quantized(float* w, const float* row, int64_t n, int64_t group, int64_t block, const float* scales,
                    const Grid& grid, float strength, float* scratch) {
  quantize_groups(row, n, group, scales, grid, {}, {.value = scratch});
  hadamard(scratch, scratch, n, block);
  pull_row(w, scratch, strength, n);
}

}  // namespace detent::kernels::reference
