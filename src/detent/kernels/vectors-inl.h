// The vector of floats that kernels are written in, and Highway's namespace. Included once per instruction set.
#if defined(DETENT_KERNELS_VECTORS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DETENT_KERNELS_VECTORS_INL_H
#undef DETENT_KERNELS_VECTORS_INL_H
#else
#define DETENT_KERNELS_VECTORS_INL_H
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using FloatTag = hn::ScalableTag<float>;
using FloatVec = hn::Vec<FloatTag>;
using IntTag = hn::RebindToSigned<FloatTag>;
using IntVec = hn::Vec<IntTag>;
constexpr FloatTag kF;
constexpr IntTag kI;
inline constexpr int kFloats = static_cast<int>(hn::MaxLanes(FloatTag()));

}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
