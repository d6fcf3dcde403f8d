#include "detent/kernels/rope/rope.h"

namespace detent::kernels::reference {

void rope_heads(const float* x, const float* cos, const float* sin, int64_t heads, int64_t size, float sign,
                float* out) {
  const int64_t half = size / 2;
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t i = 0; i < half; ++i) {
      const float left = x[head * size + i], right = x[head * size + half + i], s = sign * sin[i];
      out[head * size + i] = left * cos[i] - right * s;
      out[head * size + half + i] = right * cos[i] + left * s;
    }
}

}  // namespace detent::kernels::reference
