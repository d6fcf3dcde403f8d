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
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using FloatTag = hn::ScalableTag<float>;
using DoubleTag = hn::ScalableTag<double>;
using HalfTag = hn::Rebind<float, DoubleTag>;  // as many floats as a vector holds doubles
using FloatVec = hn::Vec<FloatTag>;
using DoubleVec = hn::Vec<DoubleTag>;

inline constexpr int kFloats = static_cast<int>(hn::MaxLanes(FloatTag()));
inline constexpr int kDoubles = static_cast<int>(hn::MaxLanes(DoubleTag()));
inline constexpr int kSumVectors = kLanes / kDoubles;

struct VectorLaneSum {
  DoubleVec lanes[kSumVectors];

  HWY_INLINE VectorLaneSum() {
    for (DoubleVec& lane : lanes) lane = hn::Zero(DoubleTag());
  }

  // Adds a[j] * b[j] to the lanes of vector j. The product of two floats is exact in double, so that a fused
  // multiply-add gives the bits of a product and a sum.
  HWY_INLINE void add_product(int j, DoubleVec a, DoubleVec b) { lanes[j] = hn::MulAdd(a, b, lanes[j]); }

  HWY_INLINE void add_products(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b) {
    for (int j = 0; j < kSumVectors; ++j) add_product(j, load(a, j), load(b, j));
  }

  static HWY_INLINE DoubleVec load(const float* x, int j) {
    return hn::PromoteTo(DoubleTag(), hn::LoadU(HalfTag(), x + j * kDoubles));
  }

  HWY_INLINE double total() {
    for (int half = kSumVectors / 2; half > 0; half /= 2)
      for (int k = 0; k < half; ++k) lanes[k] = hn::Add(lanes[k], lanes[k + half]);
    double last[kDoubles];
    hn::StoreU(lanes[0], DoubleTag(), last);
    for (int half = kDoubles / 2; half > 0; half /= 2)
      for (int k = 0; k < half; ++k) last[k] += last[k + half];
    return last[0];
  }
};

// The last elements of a row, padded with zeros to one round of lanes.
struct PaddedLanes {
  alignas(64) float values[kLanes] = {};
  PaddedLanes(const float* x, int64_t n) { std::memcpy(values, x, static_cast<size_t>(n) * sizeof(float)); }
};

}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
