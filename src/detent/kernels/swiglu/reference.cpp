#include <bit>
#include <cmath>

#include "detent/kernels/swiglu/exponential.h"
#include "detent/kernels/swiglu/swiglu.h"

namespace detent::kernels::reference {

namespace {

float exp_of_negative(float x) {
  if (!(x > kLeastExponent)) return 0;
  const float k = std::nearbyint(x * kLog2E);
  const float r = x - k * kLn2High - k * kLn2Low;
  float sum = kTaylor[0];
  for (int i = 1; i < 8; ++i) sum = sum * r + kTaylor[i];
  return sum * std::bit_cast<float>((static_cast<int32_t>(k) + 127) << 23);
}

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
