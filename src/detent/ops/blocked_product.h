// Products by the blocks of kernels/float_gemm, shared among threads: of many rows all multiply by what one packs, of
// few each takes columns.
#pragma once
#include <cstdint>
#include <functional>

#include "detent/kernels/float_gemm/float_gemm.h"

namespace detent::ops {

inline constexpr int64_t kLeastProductWork = 1 << 16;  // multiplications worth a thread

// Writes columns [first, last) and elements [begin, end) of the reduction as float_gemm_pack does; first is a multiple
// of 32. Called by many threads.
using PackColumns = std::function<void(int64_t first, int64_t last, int64_t begin, int64_t end, float* packed)>;

// out [rows, columns], its rows out_stride elements apart, = left times the columns, one chain of multiply-adds an
// output whatever the number of threads.
struct ProductShape {
  int64_t rows, columns, depth, out_stride;
};
void blocked_product(const kernels::FloatLines& left, const ProductShape& shape, const PackColumns& pack, float* out);

}  // namespace detent::ops
