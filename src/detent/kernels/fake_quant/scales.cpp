// Statistics and scales of groups with Highway.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/fake_quant/scales.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include <cmath>
#include <limits>

#include "detent/format/absmax.h"
#include "detent/kernels/fake_quant/grid-inl.h"
#include "detent/kernels/fake_quant/groups.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
using reference::group_scales;
using reference::group_stats;
#else

struct StatsLoop {
  FloatVec lowest, highest;
  VectorLaneSum sum_abs, sum_squares;

  // Written out: an implicit constructor would be compiled for the baseline instruction set.
  HWY_INLINE StatsLoop() : lowest(hn::Zero(kF)), highest(hn::Zero(kF)) {}

  HWY_INLINE void add(const float* HWY_RESTRICT x) {
    for (int i = 0; i < kLanes; i += kFloats) {
      const FloatVec v = hn::LoadU(kF, x + i);
      lowest = hn::Min(lowest, v);
      highest = hn::Max(highest, v);
    }
    sum_abs.add_magnitudes(x);
    sum_squares.add_products(x, x);
  }
};

// When both signs reach the largest magnitude.
HWY_NOINLINE float first_of_magnitude(const float* x, float magnitude) {
  while (std::fabs(*x) != magnitude) ++x;
  return *x;
}

GroupStats group_stats(const float* x, int64_t n) {
  StatsLoop loop;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) loop.add(x + i);
  if (i < n) loop.add(PaddedLanes(x + i, n - i).values);
  GroupStats stats;
  stats.sum_abs = loop.sum_abs.total();
  // Min and Max drop NaN; the sum of magnitudes does not, and finite floats cannot overflow it.
  if (!std::isfinite(stats.sum_abs)) return {.finite = false};
  stats.sum_squares = loop.sum_squares.total();
  const FloatVec highest = hn::MaxOfLanes(kF, loop.highest), lowest = hn::MinOfLanes(kF, loop.lowest);
  const FloatVec depth = hn::Neg(lowest);
  stats.absmax = hn::GetLane(hn::Max(highest, depth));
  stats.extreme = hn::GetLane(hn::IfThenElse(hn::Gt(highest, depth), highest, lowest));  // no branch to mispredict
  if (hn::GetLane(highest) == hn::GetLane(depth)) {
    stats.absmax = std::fabs(stats.absmax);
    stats.extreme = stats.absmax == 0 ? 0 : first_of_magnitude(x, stats.absmax);
  }
  return stats;
}

// The bits of the largest magnitude: as integers they order like the magnitudes, with infinity and NaN above all.
HWY_INLINE int32_t largest_magnitude_bits(const float* x, int64_t n) {
  const IntVec magnitude = hn::Set(IntTag(), 0x7fffffff);
  IntVec most = hn::Zero(IntTag());
  int64_t i = 0;
  for (; i + kFloats <= n; i += kFloats)
    most = hn::Max(most, hn::And(hn::BitCast(IntTag(), hn::LoadU(kF, x + i)), magnitude));
  if (i < n) {
    const FloatVec last = hn::LoadU(kF, PaddedLanes(x + i, n - i).values);
    most = hn::Max(most, hn::And(hn::BitCast(IntTag(), last), magnitude));
  }
  return hn::GetLane(hn::MaxOfLanes(IntTag(), most));
}

constexpr int32_t kInfinityBits = 0x7f800000;

// max|x| of each group, or NaN; then the division that absmax rules end with, many at a time.
void absmax_scales(const float* x, int64_t n, int64_t group, float divisor, float* scales) {
  for (int64_t i = 0, g = 0; i < n; i += group, ++g) {
    const int32_t bits = largest_magnitude_bits(x + i, group);
    std::memcpy(scales + g, &bits, sizeof bits);
  }
  for (int64_t g = 0; g < n / group; ++g)
    scales[g] =
        scales[g] <= std::numeric_limits<float>::max() ? scales[g] / divisor : std::numeric_limits<float>::quiet_NaN();
}

// The value of largest magnitude with its sign; of both signs the one that comes first.
HWY_INLINE float extreme_of(const float* x, int64_t n, float magnitude) {
  const FloatVec most = hn::Set(kF, magnitude);
  int64_t i = 0;
  for (; i + kFloats <= n; i += kFloats) {
    const intptr_t found = hn::FindFirstTrue(kF, hn::Eq(hn::Abs(hn::LoadU(kF, x + i)), most));
    if (found >= 0) return x[i + found];
  }
  return first_of_magnitude(x + i, magnitude);
}

void signed_scales(const float* x, int64_t n, int64_t group, float divisor, float* scales) {
  for (int64_t i = 0, g = 0; i < n; i += group, ++g) {
    const int32_t bits = largest_magnitude_bits(x + i, group);
    float magnitude;
    std::memcpy(&magnitude, &bits, sizeof bits);
    const float extreme = bits == 0 ? 0 : bits < kInfinityBits ? extreme_of(x + i, group, magnitude) : NAN;
    scales[g] = extreme / divisor;
  }
}

// Sums of one kind; a sum of doubles that is finite had finite elements.
template <bool kSquares>
GroupStats sum_of(const float* x, int64_t n) {
  VectorLaneSum sum;
  const auto add = [&](const float* from) HWY_ATTR {
    if constexpr (kSquares)
      sum.add_products(from, from);
    else
      sum.add_magnitudes(from);
  };
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) add(x + i);
  if (i < n) add(PaddedLanes(x + i, n - i).values);
  GroupStats stats;
  (kSquares ? stats.sum_squares : stats.sum_abs) = sum.total();
  stats.finite = std::isfinite(stats.sum_squares) && std::isfinite(stats.sum_abs);
  return stats;
}

template <bool kSquares>
void sum_scales(const float* x, int64_t n, int64_t group, const Grid& grid, ScaleRule rule, float* scales) {
  for (int64_t i = 0; i < n; i += group)
    scales[i / group] = scale_from_stats(sum_of<kSquares>(x + i, group), static_cast<double>(group), grid, rule);
}

void group_scales(const float* x, int64_t n, int64_t group, const Grid& grid, ScaleRule rule, float* scales) {
  if (!rule_fits(grid, rule) || !grid.uniform()) return reference::group_scales(x, n, group, grid, rule, scales);
  switch (rule) {
    case ScaleRule::kAbsmax:
    case ScaleRule::kAbsmaxFull:
      return absmax_scales(x, n, group, absmax_divisor(grid, rule), scales);
    case ScaleRule::kAbsmaxSigned:
      return signed_scales(x, n, group, absmax_divisor(grid, rule), scales);
    case ScaleRule::kRms:
      return sum_scales<true>(x, n, group, grid, rule, scales);
    default:
      return sum_scales<false>(x, n, group, grid, rule, scales);
  }
}

#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(group_stats);
HWY_EXPORT(group_scales);

GroupStats group_stats(const float* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(group_stats)(x, n); }

void group_scales(const float* x, int64_t n, int64_t group, const Grid& grid, ScaleRule rule, float* scales) {
  HWY_DYNAMIC_DISPATCH(group_scales)(x, n, group, grid, rule, scales);
}
}  // namespace detent::kernels
#endif
