#include <cmath>

#include "detent/kernels/hadamard/hadamard.h"

namespace detent::kernels::reference {

namespace {
void butterflies(float* x, int64_t block, int64_t distance) {
  for (int64_t i = 0; i < block; ++i) {
    if (i & distance) continue;
    const float a = x[i], b = x[i + distance];
    x[i] = a + b;
    x[i + distance] = a - b;
  }
}
}  // namespace

void hadamard(const float* in, float* out, int64_t n, int64_t block) {
  const float norm = static_cast<float>(1.0 / std::sqrt(static_cast<double>(block)));
  for (int64_t i = 0; i < n; ++i) out[i] = in[i];
  for (float* x = out; x < out + n; x += block) {
    for (int64_t distance = 1; distance < block; distance *= 2) butterflies(x, block, distance);
    for (int64_t i = 0; i < block; ++i) x[i] *= norm;
  }
}

}  // namespace detent::kernels::reference
