// Fake quantization with Highway: the reference's operations in the reference's order, a vector at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/fake_quant/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include <cmath>
#include <limits>

#include "detent/kernels/fake_quant/fake_quant.h"
#include "detent/kernels/lane_sum-inl.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
using reference::apply_mask;
using reference::dequantize_group;
using reference::group_stats;
using reference::learned_backward_group;
using reference::quantize_group;
#else

using IntTag = hn::RebindToSigned<FloatTag>;
using IntVec = hn::Vec<IntTag>;
using FloatMask = hn::Mask<FloatTag>;
using CodeTag = hn::Rebind<int8_t, FloatTag>;
constexpr FloatTag kF;

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

enum class Rounding { kNearest, kDown, kE2M1 };

Rounding rounding_of(const Grid& grid) {
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
};

HWY_INLINE FloatMask inside(FloatVec u, const Surrogate& surrogate) {
  return hn::And(hn::Ge(u, hn::Set(kF, surrogate.u_lo)), hn::Le(u, hn::Set(kF, surrogate.u_hi)));
}

constexpr int kStep = kFloats < 8 ? 8 : kFloats;  // elements that fill whole bytes of mask bits

// Returns the mask bits of its kFloats elements.
template <Rounding kRounding>
HWY_INLINE unsigned quantize_vector(const float* x, const GridVectors& grid, const Surrogate& surrogate,
                                    const FakeQuantOut out, int64_t i) {
  const FloatVec u = hn::Div(hn::LoadU(kF, x + i), grid.scale);
  const FloatMask valid = hn::Eq(u, u);
  const FloatVec code = hn::IfThenElseZero(valid, grid.nearest_code<kRounding>(u));
  if (out.codes) hn::StoreU(hn::DemoteTo(CodeTag(), hn::ConvertTo(IntTag(), code)), CodeTag(), out.codes + i);
  if (out.value) {
    const FloatVec nan = hn::Set(kF, std::numeric_limits<float>::quiet_NaN());
    hn::StoreU(hn::IfThenElse(valid, hn::Mul(grid.scale, grid.level<kRounding>(code)), nan), kF, out.value + i);
  }
  uint8_t bits[8] = {};
  if (out.mask) hn::StoreMaskBits(kF, inside(u, surrogate), bits);
  return bits[0] | static_cast<unsigned>(bits[1]) << 8;
}

template <Rounding kRounding>
HWY_INLINE void quantize_step(const float* x, const GridVectors& grid, const Surrogate& surrogate,
                              const FakeQuantOut out, int64_t i) {
  unsigned bits = 0;
  for (int j = 0; j < kStep; j += kFloats) bits |= quantize_vector<kRounding>(x, grid, surrogate, out, i + j) << j;
  if (!out.mask) return;
  out.mask[i / 8] = static_cast<uint8_t>(bits);
  if (kStep > 8) out.mask[i / 8 + 1] = static_cast<uint8_t>(bits >> 8);
}

template <Rounding kRounding>
HWY_INLINE void quantize_loop(const float* x, int64_t n, const GridVectors& grid, const Surrogate& surrogate,
                              const FakeQuantOut& out) {
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) quantize_step<kRounding>(x, grid, surrogate, out, i);
  if (i == n) return;
  const size_t rest = static_cast<size_t>(n - i);
  PaddedLanes padded(x + i, n - i);
  int8_t codes[kStep];
  uint8_t mask[kStep / 8];
  quantize_step<kRounding>(padded.values, grid, surrogate, {padded.values, codes, mask}, 0);
  if (out.value) std::memcpy(out.value + i, padded.values, rest * sizeof(float));
  if (out.codes) std::memcpy(out.codes + i, codes, rest);
  if (!out.mask) return;
  const unsigned used = (mask[0] | static_cast<unsigned>(mask[kStep / 8 - 1]) << (kStep - 8)) & ((1u << rest) - 1);
  for (size_t k = 0; k < (rest + 7) / 8; ++k)
    out.mask[i / 8 + static_cast<int64_t>(k)] = static_cast<uint8_t>(used >> 8 * k);
}

void quantize_group(const float* x, int64_t n, float scale, const Grid& grid, const Surrogate& surrogate,
                    const FakeQuantOut& out) {
  if (scale == 0) return reference::quantize_group(x, n, scale, grid, surrogate, out);  // rare: an all-zero group
  const GridVectors vectors(grid, scale);
  switch (rounding_of(grid)) {
    case Rounding::kNearest:
      return quantize_loop<Rounding::kNearest>(x, n, vectors, surrogate, out);
    case Rounding::kDown:
      return quantize_loop<Rounding::kDown>(x, n, vectors, surrogate, out);
    case Rounding::kE2M1:
      return quantize_loop<Rounding::kE2M1>(x, n, vectors, surrogate, out);
  }
}

template <Rounding kRounding>
HWY_INLINE void dequantize_vector(const int8_t* codes, const GridVectors& grid, float* value) {
  const IntVec code = hn::PromoteTo(IntTag(), hn::LoadU(CodeTag(), codes));
  hn::StoreU(hn::Mul(grid.scale, grid.level<kRounding>(hn::ConvertTo(kF, code))), kF, value);
}

// Grids that only round differently share their levels.
void dequantize_group(const int8_t* codes, int64_t n, float scale, const Grid& grid, float* value) {
  const GridVectors vectors(grid, scale);
  int64_t i = 0;
  if (grid.uniform())
    for (; i + kFloats <= n; i += kFloats) dequantize_vector<Rounding::kNearest>(codes + i, vectors, value + i);
  else
    for (; i + kFloats <= n; i += kFloats) dequantize_vector<Rounding::kE2M1>(codes + i, vectors, value + i);
  if (i < n) reference::dequantize_group(codes + i, n - i, scale, grid, value + i);
}

// d(value)/d(scale) of one round of lanes, and dx on the way.
template <Rounding kRounding>
HWY_INLINE void slopes(const float* x, const float* g, const GridVectors& grid, const Surrogate& surrogate, float* dx,
                       float* HWY_RESTRICT slope) {
  for (int i = 0; i < kLanes; i += kFloats) {
    const FloatVec u = hn::Div(hn::LoadU(kF, x + i), grid.scale);
    const FloatVec level = grid.level<kRounding>(grid.nearest_code<kRounding>(u));
    FloatVec t = hn::Sub(level, hn::Mul(hn::Set(kF, surrogate.residual), u));
    t = hn::IfThenElse(hn::Lt(u, hn::Set(kF, surrogate.u_lo)), hn::Set(kF, surrogate.level_lo), t);
    t = hn::IfThenElse(hn::Gt(u, hn::Set(kF, surrogate.u_hi)), hn::Set(kF, surrogate.level_hi), t);
    hn::Store(t, kF, slope + i);
    if (dx) hn::StoreU(hn::IfThenElseZero(inside(u, surrogate), hn::LoadU(kF, g + i)), kF, dx + i);
  }
}

template <Rounding kRounding>
HWY_INLINE double learned_backward_loop(const float* x, const float* g, int64_t n, const GridVectors& grid,
                                        const Surrogate& surrogate, float* dx) {
  alignas(64) float slope[kLanes], gradient[kLanes];
  VectorLaneSum sum;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int j = 0; j < kLanes; j += kFloats) hn::Store(hn::LoadU(kF, g + i + j), kF, gradient + j);  // dx may be g
    slopes<kRounding>(x + i, gradient, grid, surrogate, dx ? dx + i : nullptr, slope);
    sum.add_products(gradient, slope);
  }
  if (i < n) {
    const PaddedLanes padded_x(x + i, n - i);
    PaddedLanes padded_g(g + i, n - i);
    float padded_dx[kLanes];
    slopes<kRounding>(padded_x.values, padded_g.values, grid, surrogate, padded_dx, slope);
    sum.add_products(padded_g.values, slope);  // the padding adds g = 0 times a finite slope
    if (dx) std::memcpy(dx + i, padded_dx, static_cast<size_t>(n - i) * sizeof(float));
  }
  return sum.total();
}

double learned_backward_group(const float* x, const float* g, int64_t n, float scale, const Grid& grid,
                              const Surrogate& surrogate, float* dx) {
  if (scale == 0) return reference::learned_backward_group(x, g, n, scale, grid, surrogate, dx);
  const GridVectors vectors(grid, scale);
  switch (rounding_of(grid)) {
    case Rounding::kDown:
      return learned_backward_loop<Rounding::kDown>(x, g, n, vectors, surrogate, dx);
    case Rounding::kE2M1:
      return learned_backward_loop<Rounding::kE2M1>(x, g, n, vectors, surrogate, dx);
    default:
      return learned_backward_loop<Rounding::kNearest>(x, g, n, vectors, surrogate, dx);
  }
}

void apply_mask(const float* g, const uint8_t* mask, int64_t n, float* dx) {
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    const unsigned bits = mask[i / 8] | (kStep > 8 ? static_cast<unsigned>(mask[i / 8 + 1]) << 8 : 0u);
    for (int j = 0; j < kStep; j += kFloats) {
      const uint8_t part[8] = {static_cast<uint8_t>(bits >> j), static_cast<uint8_t>(bits >> j >> 8)};
      hn::StoreU(hn::IfThenElseZero(hn::LoadMaskBits(kF, part), hn::LoadU(kF, g + i + j)), kF, dx + i + j);
    }
  }
  if (i < n) reference::apply_mask(g + i, mask + i / 8, n - i, dx + i);
}

#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(group_stats);
HWY_EXPORT(quantize_group);
HWY_EXPORT(dequantize_group);
HWY_EXPORT(learned_backward_group);
HWY_EXPORT(apply_mask);

GroupStats group_stats(const float* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(group_stats)(x, n); }

void quantize_group(const float* x, int64_t n, float scale, const Grid& grid, const Surrogate& surrogate,
                    const FakeQuantOut& out) {
  HWY_DYNAMIC_DISPATCH(quantize_group)(x, n, scale, grid, surrogate, out);
}

void dequantize_group(const int8_t* codes, int64_t n, float scale, const Grid& grid, float* value) {
  HWY_DYNAMIC_DISPATCH(dequantize_group)(codes, n, scale, grid, value);
}

double learned_backward_group(const float* x, const float* g, int64_t n, float scale, const Grid& grid,
                              const Surrogate& surrogate, float* dx) {
  return HWY_DYNAMIC_DISPATCH(learned_backward_group)(x, g, n, scale, grid, surrogate, dx);
}

void apply_mask(const float* g, const uint8_t* mask, int64_t n, float* dx) {
  HWY_DYNAMIC_DISPATCH(apply_mask)(g, mask, n, dx);
}
}  // namespace detent::kernels
#endif
