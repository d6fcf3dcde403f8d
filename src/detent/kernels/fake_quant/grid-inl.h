// A uniform grid or E2M1 in vectors: nearest codes and their levels. Included once per instruction set.
#if defined(DETENT_KERNELS_FAKE_QUANT_GRID_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DETENT_KERNELS_FAKE_QUANT_GRID_INL_H
#undef DETENT_KERNELS_FAKE_QUANT_GRID_INL_H
#else
#define DETENT_KERNELS_FAKE_QUANT_GRID_INL_H
#endif

#include <limits>

#include "detent/kernels/fake_quant/fake_quant.h"
#include "detent/kernels/lane_sum-inl.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {

using FloatMask = hn::Mask<FloatTag>;
using CodeTag = hn::Rebind<int8_t, FloatTag>;

enum class Rounding { kNearest, kDown, kE2M1 };

inline Rounding rounding_of(const Grid& grid) {
  if (!grid.uniform()) return Rounding::kE2M1;
  return grid.rounds_down() ? Rounding::kDown : Rounding::kNearest;
}

// E2M1's codes are evenly spaced between 0 and 2, 2 and 4, and beyond 4.
HWY_INLINE FloatVec nearest_e2m1(FloatVec u) {
  const FloatVec magnitude = hn::Abs(u), half = hn::Set(kF, 0.5f);
  const FloatMask low = hn::Lt(magnitude, hn::Set(kF, 2.0f)), high = hn::Ge(magnitude, hn::Set(kF, 4.0f));
  const FloatVec factor = hn::IfThenElse(low, hn::Set(kF, 2.0f), hn::IfThenElse(high, half, hn::Set(kF, 1.0f)));
  const FloatVec shift = hn::IfThenElse(low, hn::Zero(kF), hn::IfThenElse(high, hn::Set(kF, 4.0f), hn::Set(kF, 2.0f)));
  const FloatVec code = hn::Add(hn::Round(hn::Mul(magnitude, factor)), shift);
  return hn::CopySign(hn::Min(code, hn::Set(kF, 7.0f)), u);
}

HWY_INLINE FloatVec e2m1_level(FloatVec code) {
  const FloatVec magnitude = hn::Abs(code);
  const FloatVec low = hn::Mul(magnitude, hn::Set(kF, 0.5f)), middle = hn::Sub(magnitude, hn::Set(kF, 2.0f));
  const FloatVec high = hn::Sub(hn::Add(magnitude, magnitude), hn::Set(kF, 8.0f));
  // A code of -0 stands for the one zero there is.
  return hn::CopySign(hn::Max(low, hn::Max(middle, high)), hn::Add(code, hn::Zero(kF)));
}

// A grid as vectors.
struct GridVectors {
  FloatVec lo, hi, offset, stride, scale;

  HWY_INLINE GridVectors(const Grid& grid, float d)
      : lo(hn::Set(kF, static_cast<float>(grid.lo()))),
        hi(hn::Set(kF, static_cast<float>(grid.hi()))),
        offset(hn::Set(kF, grid.offset())),
        stride(hn::Set(kF, grid.stride())),
        scale(hn::Set(kF, d)) {}

  template <Rounding kRounding>
  HWY_INLINE FloatVec nearest_code(FloatVec u) const {
    if constexpr (kRounding == Rounding::kE2M1) return nearest_e2m1(u);
    const FloatVec rounded = kRounding == Rounding::kDown ? hn::Floor(u) : hn::Round(u);
    return hn::Min(hn::Max(rounded, lo), hi);
  }
  template <Rounding kRounding>
  HWY_INLINE FloatVec level(FloatVec code) const {
    if constexpr (kRounding == Rounding::kE2M1) return e2m1_level(code);
    return hn::Mul(stride, hn::Add(code, offset));
  }
  // The value of u's code; NaN of NaN, which codes do not tell.
  template <Rounding kRounding>
  HWY_INLINE FloatVec value(FloatVec u, FloatVec code) const {
    const FloatVec nan = hn::Set(kF, std::numeric_limits<float>::quiet_NaN());
    return hn::IfThenElse(hn::Eq(u, u), hn::Mul(scale, level<kRounding>(code)), nan);
  }
};

HWY_INLINE FloatMask inside(FloatVec u, const Surrogate& surrogate) {
  return hn::And(hn::Ge(u, hn::Set(kF, surrogate.u_lo)), hn::Le(u, hn::Set(kF, surrogate.u_hi)));
}

}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
