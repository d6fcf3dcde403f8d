// RMSNorm for every instruction set. Loops over __restrict pointers, which the compiler vectorizes; sums are
// optimizer.h's, over fixed lanes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/rms_norm/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include <cmath>

#include "detent/kernels/optimizer/optimizer.h"
#include "detent/kernels/rms_norm/rms_norm.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {

// In place allowed, so no __restrict; each element is read before it is written.
void scale_row(const float* x, const float* __restrict weight, float inverse, int64_t n, float* out) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] * inverse * weight[i];
}

void product_row(const float* __restrict a, const float* __restrict b, int64_t n, float* __restrict out) {
  for (int64_t i = 0; i < n; ++i) out[i] = a[i] * b[i];
}

void gradient_row(const float* __restrict x, const float* __restrict g, float inverse, float along, int64_t n,
                  float* __restrict dx, float* __restrict dweight) {
  for (int64_t i = 0; i < n; ++i) {
    dx[i] = inverse * dx[i] - x[i] * along;
    dweight[i] += g[i] * (x[i] * inverse);
  }
}

}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(scale_row);
HWY_EXPORT(product_row);
HWY_EXPORT(gradient_row);

float rms_norm_row(const float* x, const float* weight, int64_t n, double epsilon, float* out) {
  const double mean = sum_squares(x, n) / static_cast<double>(n);
  const auto inverse = static_cast<float>(1 / std::sqrt(mean + epsilon));
  HWY_DYNAMIC_DISPATCH(scale_row)(x, weight, inverse, n, out);
  return inverse;
}

void rms_norm_backward_row(const float* x, const float* weight, float inverse, const float* g, int64_t n, float* dx,
                           float* dweight) {
  HWY_DYNAMIC_DISPATCH(product_row)(g, weight, n, dx);
  const double sum = dot(dx, x, n), third = double{inverse} * inverse * inverse;
  const auto along = static_cast<float>(third * sum / static_cast<double>(n));
  HWY_DYNAMIC_DISPATCH(gradient_row)(x, g, inverse, along, n, dx, dweight);
}
}  // namespace detent::kernels
#endif
