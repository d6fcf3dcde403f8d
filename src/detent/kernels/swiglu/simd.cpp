// SwiGLU with Highway: the reference's operations in the reference's order, a vector at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/swiglu/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include "detent/kernels/exponential-inl.h"
#include "detent/kernels/swiglu/swiglu.h"
#include "detent/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
using reference::swiglu;
using reference::swiglu_backward;
#else

HWY_INLINE FloatVec sigmoid(FloatVec x) {
  const FloatVec one = hn::Set(kF, 1.0f), e = exp_of_negative(hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(kF)), e, one), hn::Add(one, e));
}

void swiglu(const float* gate, const float* up, int64_t n, float* out) {
  int64_t i = 0;
  for (; i + kFloats <= n; i += kFloats) {
    const FloatVec x = hn::LoadU(kF, gate + i);
    hn::StoreU(hn::Mul(hn::Mul(x, sigmoid(x)), hn::LoadU(kF, up + i)), kF, out + i);
  }
  if (i < n) reference::swiglu(gate + i, up + i, n - i, out + i);
}

void swiglu_backward(const float* gate, const float* up, const float* g, int64_t n, float* dgate, float* dup) {
  const FloatVec one = hn::Set(kF, 1.0f);
  int64_t i = 0;
  for (; i + kFloats <= n; i += kFloats) {
    const FloatVec x = hn::LoadU(kF, gate + i), s = sigmoid(x), gradient = hn::LoadU(kF, g + i);
    const FloatVec slope = hn::Mul(s, hn::Add(one, hn::Mul(x, hn::Sub(one, s))));
    const FloatVec through_gate = hn::Mul(hn::Mul(gradient, hn::LoadU(kF, up + i)), slope);
    hn::StoreU(hn::Mul(gradient, hn::Mul(x, s)), kF, dup + i);
    hn::StoreU(through_gate, kF, dgate + i);
  }
  if (i < n) reference::swiglu_backward(gate + i, up + i, g + i, n - i, dgate + i, dup + i);
}

#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(swiglu);
HWY_EXPORT(swiglu_backward);

void swiglu(const float* gate, const float* up, int64_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(swiglu)(gate, up, n, out);
}

void swiglu_backward(const float* gate, const float* up, const float* g, int64_t n, float* dgate, float* dup) {
  HWY_DYNAMIC_DISPATCH(swiglu_backward)(gate, up, g, n, dgate, dup);
}
}  // namespace detent::kernels
#endif
