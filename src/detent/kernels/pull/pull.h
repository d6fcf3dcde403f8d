// The pull of a row towards its own quantization in one pass: CAGE's decoupled term, WinQ's reset (kernels/optimizer).
// Class: exact.
#pragma once
#include <cstdint>

#include "detent/format/grid.h"

namespace detent::kernels {

// w -= strength * (w - H(d * level(code(row / d)))) with H the rotation in blocks of `block` (1: none) and row what w
// is in the rotated basis, w itself for 1. n: a multiple of group, which has one scale, and of block. The values are
// quantize_groups', rotated by hadamard and pulled towards by pull_row. scratch: n floats, not row's.
void pull_quantized(float* w, const float* row, int64_t n, int64_t group, int64_t block, const float* scales,
                    const Grid& grid, float strength, float* scratch);

namespace reference {
void pull_quantized(float* w, const float* row, int64_t n, int64_t group, int64_t block, const float* scales,
                    const Grid& grid, float strength, float* scratch);
}

}  // namespace detent::kernels
