// exp_of_negative with vectors: the reference's operations in its order. Included once per instruction set.
#if defined(DETENT_KERNELS_EXPONENTIAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DETENT_KERNELS_EXPONENTIAL_INL_H
#undef DETENT_KERNELS_EXPONENTIAL_INL_H
#else
#define DETENT_KERNELS_EXPONENTIAL_INL_H
#endif

#include "detent/kernels/exponential.h"
#include "detent/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR

HWY_INLINE FloatVec exp_of_negative(FloatVec x) {
  const FloatVec k = hn::Round(hn::Mul(x, hn::Set(kF, kLog2E)));
  const FloatVec high = hn::Sub(x, hn::Mul(k, hn::Set(kF, kLn2High)));
  const FloatVec r = hn::Sub(high, hn::Mul(k, hn::Set(kF, kLn2Low)));
  FloatVec sum = hn::Set(kF, kTaylor[0]);
  for (int i = 1; i < 8; ++i) sum = hn::Add(hn::Mul(sum, r), hn::Set(kF, kTaylor[i]));
  const auto exponent = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(kI, k), hn::Set(kI, 127)));
  const FloatVec value = hn::Mul(sum, hn::BitCast(kF, exponent));
  return hn::IfThenElseZero(hn::Gt(x, hn::Set(kF, kLeastExponent)), value);
}

#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
