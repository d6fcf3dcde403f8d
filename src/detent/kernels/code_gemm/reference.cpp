#include <algorithm>
#include <cmath>

#include "detent/kernels/code_gemm/code_gemm.h"

namespace detent::kernels::reference {

float code_value(const CodePanels& w, int64_t j, int64_t k) {
  const int64_t panel = j / kCodePanel, lane = j % kCodePanel, step = w.packing.panel_bytes(1);
  const int byte = w.codes[(panel * w.depth + k) * step + lane % step];
  const int level = w.packing.halves ? (lane < step ? byte & 15 : byte >> 4) : byte;
  const float scale = w.scales[(panel * (w.depth / w.group) + k / w.group) * kCodePanel + lane];
  return scale * (static_cast<float>(level) + w.packing.base);
}

void code_gemm(const CodePanels& w, const CodeGemmRows& rows, int64_t first, int64_t last, bool fused) {
  for (int64_t i = 0; i < rows.rows; ++i)
    for (int64_t j = first * kCodePanel; j < std::min(w.outputs, last * kCodePanel); ++j) {
      float sum = 0;
      for (int64_t k = 0; k < w.depth; ++k) {
        const float x = rows.x[i * rows.x_stride + k], value = code_value(w, j, k);
        sum = fused ? std::fma(x, value, sum) : sum + x * value;
      }
      rows.out[i * rows.out_stride + j] = sum;
    }
}

}  // namespace detent::kernels::reference
