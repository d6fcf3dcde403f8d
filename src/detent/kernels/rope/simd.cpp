// Rotary embedding for every instruction set: a loop that the compiler vectorizes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/rope/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include "detent/kernels/rope/rope.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {

HWY_INLINE void rotate_head(const float* __restrict left, const float* __restrict right, const float* __restrict cos,
                            const float* __restrict sin, int64_t half, float sign, float* __restrict to_left,
                            float* __restrict to_right) {
  for (int64_t i = 0; i < half; ++i) {
    const float s = sign * sin[i];
    to_left[i] = left[i] * cos[i] - right[i] * s;
    to_right[i] = right[i] * cos[i] + left[i] * s;
  }
}

void rope_heads(const float* x, const float* cos, const float* sin, int64_t heads, int64_t size, float sign,
                float* out) {
  const int64_t half = size / 2;
  for (int64_t i = 0; i < heads * size; i += size)
    rotate_head(x + i, x + i + half, cos, sin, half, sign, out + i, out + i + half);
}

}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(rope_heads);

void rope_heads(const float* x, const float* cos, const float* sin, int64_t heads, int64_t size, float sign,
                float* out) {
  HWY_DYNAMIC_DISPATCH(rope_heads)(x, cos, sin, heads, size, sign, out);
}
}  // namespace detent::kernels
#endif
