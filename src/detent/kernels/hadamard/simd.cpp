#include "detent/kernels/hadamard/hadamard.h"

namespace detent::kernels {

void hadamard(const float* in, float* out, int64_t n, int64_t block) { reference::hadamard(in, out, n, block); }

}  // namespace detent::kernels
