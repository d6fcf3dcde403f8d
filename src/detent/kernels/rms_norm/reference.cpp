#include <cmath>

#include "detent/kernels/optimizer/optimizer.h"
#include "detent/kernels/rms_norm/rms_norm.h"

namespace detent::kernels::reference {

float rms_norm_row(const float* x, const float* weight, int64_t n, double epsilon, float* out) {
  const double mean = reference::sum_squares(x, n) / static_cast<double>(n);
  const auto inverse = static_cast<float>(1 / std::sqrt(mean + epsilon));
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] * inverse * weight[i];
  return inverse;
}

void rms_norm_backward_row(const float* x, const float* weight, float inverse, const float* g, int64_t n, float* dx,
                           float* dweight) {
  for (int64_t i = 0; i < n; ++i) dx[i] = g[i] * weight[i];
  const double sum = reference::dot(dx, x, n), third = double{inverse} * inverse * inverse;
  const auto along = static_cast<float>(third * sum / static_cast<double>(n));
  for (int64_t i = 0; i < n; ++i) {
    dx[i] = inverse * dx[i] - x[i] * along;
    dweight[i] += g[i] * (x[i] * inverse);
  }
}

}  // namespace detent::kernels::reference
