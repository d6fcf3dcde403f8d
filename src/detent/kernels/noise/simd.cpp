#include "detent/kernels/noise/noise.h"

namespace detent::kernels {

void add_gaussian(const float* x, float* out, int64_t n, float sigma, const RandomStream& stream, uint64_t first) {
  reference::add_gaussian(x, out, n, sigma, stream, first);
}

}  // namespace detent::kernels
