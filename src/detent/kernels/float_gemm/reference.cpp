#include <cmath>

#include "detent/kernels/float_gemm/float_gemm.h"

namespace detent::kernels::reference {

void float_gemm(const FloatLines& left, const FloatLines& right, int64_t depth, const FloatGemmPart& part, float* out,
                int64_t out_stride, bool fused) {
  for (int64_t i = part.row_begin; i < part.row_end; ++i)
    for (int64_t j = part.column_begin; j < part.column_end; ++j) {
      const float *a = left.data + i * left.line_stride, *b = right.data + j * right.line_stride;
      float sum = 0;
      for (int64_t k = 0; k < depth; ++k) {
        const float x = a[k * left.depth_stride], y = b[k * right.depth_stride];
        sum = fused ? std::fma(x, y, sum) : sum + x * y;
      }
      out[i * out_stride + j] = sum;
    }
}

}  // namespace detent::kernels::reference
