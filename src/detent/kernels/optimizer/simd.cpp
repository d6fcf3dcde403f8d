// Optimizer steps, compiled for every instruction set. The steps are memory bound, and plain loops over __restrict
// pointers measure the same as intrinsics (the compiler vectorizes them); the sums need the fixed lanes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/optimizer/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include <cmath>

#include "detent/kernels/lane_sum-inl.h"
#include "detent/kernels/optimizer/optimizer.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {

template <bool kCoupled>
void adamw_loop(const AdamwCoefficients c, float* __restrict w, const float* __restrict g, float* __restrict m,
                float* __restrict v, const float* __restrict target, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    float gradient = c.gradient_scale * g[i];
    if (kCoupled) gradient += c.coupled * (w[i] - target[i]);
    const float mean = m[i] + c.one_minus_beta1 * (gradient - m[i]);
    const float square = c.beta2 * v[i] + c.one_minus_beta2 * gradient * gradient;
    m[i] = mean;
    v[i] = square;
    w[i] = w[i] * c.decay - c.step_size * mean / (std::sqrt(square) + c.epsilon);
  }
}

void adamw_row(const AdamwCoefficients& c, float* w, const float* g, float* m, float* v, const float* target,
               int64_t n) {
  c.coupled != 0 ? adamw_loop<true>(c, w, g, m, v, target, n) : adamw_loop<false>(c, w, g, m, v, target, n);
}

template <bool kCoupled, bool kNesterov>
void momentum_loop(const SgdCoefficients c, float* __restrict w, const float* __restrict g, float* __restrict b,
                   const float* __restrict target, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    float gradient = c.gradient_scale * g[i] + c.weight_decay * w[i];
    if (kCoupled) gradient += c.coupled * (w[i] - target[i]);
    const float buffer = c.first ? gradient : c.momentum * b[i] + gradient;
    b[i] = buffer;
    w[i] -= c.lr * (kNesterov ? gradient + c.momentum * buffer : buffer);
  }
}

template <bool kCoupled>
void sgd_loop(const SgdCoefficients c, float* __restrict w, const float* __restrict g, const float* __restrict target,
              int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    float gradient = c.gradient_scale * g[i] + c.weight_decay * w[i];
    if (kCoupled) gradient += c.coupled * (w[i] - target[i]);
    w[i] -= c.lr * gradient;
  }
}

void sgd_row(const SgdCoefficients& c, float* w, const float* g, float* b, const float* target, int64_t n) {
  const bool coupled = c.coupled != 0;
  if (c.momentum == 0) return coupled ? sgd_loop<true>(c, w, g, target, n) : sgd_loop<false>(c, w, g, target, n);
  if (c.nesterov)
    return coupled ? momentum_loop<true, true>(c, w, g, b, target, n)
                   : momentum_loop<false, true>(c, w, g, b, target, n);
  return coupled ? momentum_loop<true, false>(c, w, g, b, target, n)
                 : momentum_loop<false, false>(c, w, g, b, target, n);
}

void pull_loop(float* __restrict w, const float* __restrict target, float strength, int64_t n) {
  for (int64_t i = 0; i < n; ++i) w[i] -= strength * (w[i] - target[i]);
}

#if HWY_TARGET == HWY_SCALAR
using reference::dot;
#else
double dot(const float* a, const float* b, int64_t n) {
  VectorLaneSum sum;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) sum.add_products(a + i, b + i);
  if (i < n) sum.add_products(PaddedLanes(a + i, n - i).values, PaddedLanes(b + i, n - i).values);
  return sum.total();
}
#endif

}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(adamw_row);
HWY_EXPORT(sgd_row);
HWY_EXPORT(pull_loop);
HWY_EXPORT(dot);

void adamw_row(const AdamwCoefficients& c, float* w, const float* g, float* m, float* v, const float* target,
               int64_t n) {
  HWY_DYNAMIC_DISPATCH(adamw_row)(c, w, g, m, v, target, n);
}

void sgd_row(const SgdCoefficients& c, float* w, const float* g, float* b, const float* target, int64_t n) {
  HWY_DYNAMIC_DISPATCH(sgd_row)(c, w, g, b, target, n);
}

void pull_row(float* w, const float* target, float strength, int64_t n) {
  HWY_DYNAMIC_DISPATCH(pull_loop)(w, target, strength, n);
}

double sum_squares(const float* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(dot)(x, x, n); }
double dot(const float* a, const float* b, int64_t n) { return HWY_DYNAMIC_DISPATCH(dot)(a, b, n); }
}  // namespace detent::kernels
#endif
