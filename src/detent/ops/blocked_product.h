// Products by the blocks of kernels/float_gemm, shared among threads: what one packs, all multiply by.
#pragma once
#include <cstdint>
#include <functional>

#include "detent/kernels/float_gemm/float_gemm.h"

namespace detent::ops {

inline constexpr int64_t kLeastProductWork = 1 << 16;  // multiplications worth a thread

// Writes columns [first, last) and elements [begin, end) of the reduction as float_gemm_pack does; first is a multiple
// of
// 32. Called by many threads.
using PackColumns = std::function<void(int64_t first, int64_t last, int64_t begin, int64_t end, float* packed)>;

// out [rows, columns] = left times the columns, one chain of multiply-adds an output whatever the number of threads.
void blocked_product(const kernels::FloatLines& left, int64_t rows, int64_t columns, int64_t depth,
                     const PackColumns& pack, float* out);

}  // namespace detent::ops
