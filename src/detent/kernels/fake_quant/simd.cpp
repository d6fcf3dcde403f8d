// Fake quantization with Highway: the reference's operations in the reference's order, a vector at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/fake_quant/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include <cmath>

#include "detent/kernels/fake_quant/grid-inl.h"
#include "detent/kernels/fake_quant/groups.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
using reference::apply_mask;
using reference::dequantize_group;
using reference::learned_backward_group;
using reference::quantize_groups;
#else

constexpr int kBytes = kFloats < 8 ? 8 : kFloats;  // elements that fill whole bytes of mask bits
constexpr int kRun = 32;                           // elements between two looks at which outputs are wanted

// Bits of kElements masks, the lowest first.
template <int kElements>
HWY_INLINE void store_mask_bits(const FloatVec* u, const Surrogate& surrogate, uint8_t* to) {
  uint8_t bits[8];
  for (int j = 0; j < kElements; j += kBytes) {
    unsigned all = 0;
    for (int k = 0; k < kBytes; k += kFloats) {
      bits[1] = 0;
      hn::StoreMaskBits(kF, inside(u[(j + k) / kFloats], surrogate), bits);
      all |= (bits[0] | static_cast<unsigned>(bits[1]) << 8) << k;
    }
    to[j / 8] = static_cast<uint8_t>(all);
    if (kBytes > 8) to[j / 8 + 1] = static_cast<uint8_t>(all >> 8);
  }
}

template <Rounding kRounding, int kElements>
HWY_INLINE void quantize_run(const float* x, const GridVectors& grid, const Surrogate& surrogate, float* value,
                             int8_t* codes, uint8_t* mask, bool stream) {
  constexpr int kVectors = kElements / kFloats;
  FloatVec u[kVectors], code[kVectors];
  for (int j = 0; j < kVectors; ++j) {
    u[j] = hn::Div(hn::LoadU(kF, x + j * kFloats), grid.scale);
    code[j] = grid.nearest_code<kRounding>(u[j]);
  }
  if (mask) store_mask_bits<kElements>(u, surrogate, mask);
  if (codes)
    for (int j = 0; j < kVectors; ++j) {
      const FloatVec number = hn::IfThenElseZero(hn::Eq(u[j], u[j]), code[j]);
      hn::StoreU(hn::DemoteTo(CodeTag(), hn::ConvertTo(IntTag(), number)), CodeTag(), codes + j * kFloats);
    }
  if (!value) return;
  const bool past_caches = stream && reinterpret_cast<uintptr_t>(value) % (kFloats * sizeof(float)) == 0;
  for (int j = 0; j < kVectors; ++j) {
    const FloatVec made = grid.value<kRounding>(u[j], code[j]);
    if (past_caches)
      hn::Stream(made, kF, value + j * kFloats);
    else
      hn::StoreU(made, kF, value + j * kFloats);
  }
}

template <Rounding kRounding>
HWY_INLINE void quantize_loop(const float* x, int64_t n, const GridVectors& grid, const Surrogate& surrogate,
                              const FakeQuantOut out, int64_t next) {
  int64_t i = 0;
  const auto at = [&](auto* output) { return output ? output + i : nullptr; };
  const auto bits = [&] { return out.mask ? out.mask + i / 8 : nullptr; };
  for (; i + kRun <= n; i += kRun) {
    if (next > 0)
      for (int line = 0; line < kRun; line += 16) hwy::Prefetch(x + next + i + line);
    quantize_run<kRounding, kRun>(x + i, grid, surrogate, at(out.value), at(out.codes), bits(), out.stream);
  }
  for (; i + kBytes <= n; i += kBytes)
    quantize_run<kRounding, kBytes>(x + i, grid, surrogate, at(out.value), at(out.codes), bits(), out.stream);
  if (i == n) return;
  const size_t rest = static_cast<size_t>(n - i);
  PaddedLanes padded(x + i, n - i);
  int8_t codes[kBytes];
  uint8_t mask[kBytes / 8];
  quantize_run<kRounding, kBytes>(padded.values, grid, surrogate, padded.values, codes, mask, false);
  if (out.value) std::memcpy(out.value + i, padded.values, rest * sizeof(float));
  if (out.codes) std::memcpy(out.codes + i, codes, rest);
  if (!out.mask) return;
  const unsigned used = (mask[0] | static_cast<unsigned>(mask[kBytes / 8 - 1]) << (kBytes - 8)) & ((1u << rest) - 1);
  for (size_t k = 0; k < (rest + 7) / 8; ++k)
    out.mask[i / 8 + static_cast<int64_t>(k)] = static_cast<uint8_t>(used >> 8 * k);
}

template <Rounding kRounding>
void quantize_row(const float* x, int64_t n, int64_t group, const float* scales, const Grid& grid,
                  const Surrogate& surrogate, const FakeQuantOut out) {
  GridVectors vectors(grid, 1);
  // A row of groups was just read for its scales, which only waits for memory; the next row is fetched meanwhile.
  const int64_t next = group < n ? n : 0;
  for (int64_t i = 0, g = 0; i < n; i += group, ++g) {
    const FakeQuantOut part{out.value ? out.value + i : nullptr, out.codes ? out.codes + i : nullptr,
                            out.mask ? out.mask + i / 8 : nullptr, out.stream};
    if (scales[g] == 0) {  // rare: an all-zero group
      reference::quantize_group(x + i, group, scales[g], grid, surrogate, part);
      continue;
    }
    vectors.scale = hn::Set(kF, scales[g]);
    quantize_loop<kRounding>(x + i, group, vectors, surrogate, part, next);
  }
}

void quantize_groups(const float* x, int64_t n, int64_t group, const float* scales, const Grid& grid,
                     const Surrogate& surrogate, const FakeQuantOut& out) {
  switch (rounding_of(grid)) {
    case Rounding::kNearest:
      return quantize_row<Rounding::kNearest>(x, n, group, scales, grid, surrogate, out);
    case Rounding::kDown:
      return quantize_row<Rounding::kDown>(x, n, group, scales, grid, surrogate, out);
    case Rounding::kE2M1:
      return quantize_row<Rounding::kE2M1>(x, n, group, scales, grid, surrogate, out);
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
  for (; i + kBytes <= n; i += kBytes) {
    const unsigned bits = mask[i / 8] | (kBytes > 8 ? static_cast<unsigned>(mask[i / 8 + 1]) << 8 : 0u);
    for (int j = 0; j < kBytes; j += kFloats) {
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
HWY_EXPORT(quantize_groups);
HWY_EXPORT(dequantize_group);
HWY_EXPORT(learned_backward_group);
HWY_EXPORT(apply_mask);

void quantize_group(const float* x, int64_t n, float scale, const Grid& grid, const Surrogate& surrogate,
                    const FakeQuantOut& out) {
  quantize_groups(x, n, n, &scale, grid, surrogate, out);
}

void quantize_groups(const float* x, int64_t n, int64_t group, const float* scales, const Grid& grid,
                     const Surrogate& surrogate, const FakeQuantOut& out) {
  HWY_DYNAMIC_DISPATCH(quantize_groups)(x, n, group, scales, grid, surrogate, out);
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
