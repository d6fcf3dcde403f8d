// exp_sum with Highway: the reference's operations in the reference's order, a vector at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/log_sum_exp/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include <algorithm>
#include <cmath>
#include <limits>

#include "detent/kernels/exponential-inl.h"
#include "detent/kernels/lane_sum-inl.h"
#include "detent/kernels/log_sum_exp/log_sum_exp.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
using reference::exp_sum;
#else

// A round of elements on their way into the lanes.
HWY_INLINE void exponentials(const float* x, FloatVec largest, float* to) {
  for (int i = 0; i < kLanes; i += kFloats)
    hn::Store(exp_of_negative(hn::Sub(hn::LoadU(kF, x + i), largest)), kF, to + i);
}

// The largest element; NaN where one is.
float largest_of(const float* x, int64_t n) {
  FloatVec largest = hn::Set(kF, -std::numeric_limits<float>::infinity());
  auto unordered = hn::Lt(largest, largest);
  int64_t i = 0;
  for (; i + kFloats <= n; i += kFloats) {
    const FloatVec v = hn::LoadU(kF, x + i);
    unordered = hn::Or(unordered, hn::IsNaN(v));
    largest = hn::Max(largest, v);
  }
  float result = hn::GetLane(hn::MaxOfLanes(kF, largest));
  bool ordered = hn::AllFalse(kF, unordered);
  for (; i < n; ++i) {
    ordered = ordered && x[i] == x[i];
    result = std::max(result, x[i]);
  }
  return ordered ? result + 0.0f : std::numeric_limits<float>::quiet_NaN();
}

ExpSum exp_sum(const float* x, int64_t n) {
  const float largest = largest_of(x, n);
  if (!std::isfinite(largest)) return without_terms(largest);
  VectorLaneSum sum;
  HWY_ALIGN float round[kLanes], last[kLanes];
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    exponentials(x + i, hn::Set(kF, largest), round);
    sum.add_magnitudes(round);  // none is negative
  }
  if (i < n) {
    for (int k = 0; k < kLanes; ++k) last[k] = i + k < n ? x[i + k] : -std::numeric_limits<float>::infinity();
    exponentials(last, hn::Set(kF, largest), round);
    sum.add_magnitudes(round);
  }
  return {largest, sum.total()};
}

#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(exp_sum);

ExpSum exp_sum(const float* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(exp_sum)(x, n); }
}  // namespace detent::kernels
#endif
