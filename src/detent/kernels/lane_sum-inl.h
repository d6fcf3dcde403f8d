// LaneSum with vectors: the same lanes, the same tree, the same bits. Included once per instruction set.
#if defined(DETENT_KERNELS_LANE_SUM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DETENT_KERNELS_LANE_SUM_INL_H
#undef DETENT_KERNELS_LANE_SUM_INL_H
#else
#define DETENT_KERNELS_LANE_SUM_INL_H
#endif

#include <cstdint>
#include <cstring>

#include "detent/kernels/lane_sum.h"
#include "detent/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {

using DoubleTag = hn::ScalableTag<double>;
using HalfTag = hn::Rebind<float, DoubleTag>;  // as many floats as a vector holds doubles
using DoubleVec = hn::Vec<DoubleTag>;

inline constexpr int kDoubles = static_cast<int>(hn::MaxLanes(DoubleTag()));

// kVectors neighbouring vectors of lanes. A recursive struct and not an array, so that the lanes live in registers and
// the fixed tree is its shape.
template <int kVectors>
struct VectorLanes {
  VectorLanes<kVectors / 2> low, high;
  static constexpr int kHalf = kVectors / 2 * kDoubles;  // elements of low

  HWY_INLINE VectorLanes() {}
  // Adds a[i] * b[i] to lane i. The product of two floats is exact in double, so that a fused multiply-add gives the
  // bits of a product and a sum.
  HWY_INLINE void add_products(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b) {
    low.add_products(a, b);
    high.add_products(a + kHalf, b + kHalf);
  }
  HWY_INLINE void add_magnitudes(const float* HWY_RESTRICT x) {
    low.add_magnitudes(x);
    high.add_magnitudes(x + kHalf);
  }
  HWY_INLINE void add(const VectorLanes& other) {
    low.add(other.low);
    high.add(other.high);
  }
  HWY_INLINE double total() {
    low.add(high);
    return low.total();
  }
};

template <>
struct VectorLanes<1> {
  DoubleVec lanes;

  HWY_INLINE VectorLanes() : lanes(hn::Zero(DoubleTag())) {}
  static HWY_INLINE DoubleVec load(const float* x) { return hn::PromoteTo(DoubleTag(), hn::LoadU(HalfTag(), x)); }
  HWY_INLINE void add_products(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b) {
    lanes = hn::MulAdd(load(a), load(b), lanes);
  }
  HWY_INLINE void add_magnitudes(const float* HWY_RESTRICT x) { lanes = hn::Add(lanes, hn::Abs(load(x))); }
  HWY_INLINE void add(const VectorLanes& other) { lanes = hn::Add(lanes, other.lanes); }
  HWY_INLINE double total() const {
    double last[kDoubles];
    hn::StoreU(lanes, DoubleTag(), last);
    for (int half = kDoubles / 2; half > 0; half /= 2)
      for (int k = 0; k < half; ++k) last[k] += last[k + half];
    return last[0];
  }
};

using VectorLaneSum = VectorLanes<kLanes / kDoubles>;

// The last elements of a row, padded with zeros to one round of lanes.
struct PaddedLanes {
  alignas(64) float values[kLanes] = {};
  PaddedLanes(const float* x, int64_t n) { std::memcpy(values, x, static_cast<size_t>(n) * sizeof(float)); }
};

}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
