#include <cmath>

#include "detent/kernels/exponential.h"
#include "detent/kernels/swiglu/swiglu.h"

namespace detent::kernels::reference {

namespace {

float sigmoid(float x) {
  const float e = exp_of_negative(-std::fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

}  // namespace

void swiglu(const float* gate, const float* up, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

void swiglu_backward(const float* gate, const float* up, const float* g, int64_t n, float* dgate, float* dup) {
  for (int64_t i = 0; i < n; ++i) {
    const float x = gate[i], s = sigmoid(x), gradient = g[i];
    dgate[i] = gradient * up[i] * (s * (1 + x * (1 - s)));
    dup[i] = gradient * (x * s);
  }
}

}  // namespace detent::kernels::reference
