// Block Hadamard with Highway: butterflies nearer than a vector by swapping lanes, the others between vectors.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/hadamard/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include <cmath>
#include <cstring>

#include "detent/kernels/hadamard/hadamard.h"
#include "detent/kernels/vectors-inl.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
using reference::hadamard;
void hadamard_streamed(const float* in, float* out, int64_t n, int64_t block) { hadamard(in, out, n, block); }
#else

// Lane i of the result is lane i ^ kDistance.
template <int kDistance>
HWY_INLINE FloatVec swap_lanes(FloatVec v) {
  if constexpr (kDistance == 1) return hn::Shuffle2301(v);
  if constexpr (kDistance == 2) return hn::Shuffle1032(v);
  if constexpr (kDistance == 4) return hn::SwapAdjacentBlocks(v);
  if constexpr (kDistance == 8) return hn::ConcatLowerUpper(kF, v, v);
}

// -1 where lane & kDistance, else 1: there the reference computes a - b = a + (-1) b.
template <int kDistance>
HWY_INLINE FloatVec signs() {
  const hn::RebindToUnsigned<FloatTag> du;
  const auto picked = hn::And(hn::Iota(du, 0), hn::Set(du, kDistance));
  const auto sign = hn::Mul(picked, hn::Set(du, 0x80000000u / kDistance));
  return hn::BitCast(kF, hn::Or(sign, hn::BitCast(du, hn::Set(kF, 1.0f))));
}

template <int kDistance, int kEnd>
HWY_INLINE FloatVec butterflies_inside(FloatVec v) {
  if constexpr (kDistance < kEnd) {
    v = hn::MulAdd(v, signs<kDistance>(), swap_lanes<kDistance>(v));  // exact products: the bits of a sum
    return butterflies_inside<kDistance * 2, kEnd>(v);
  }
  return v;
}

// Butterflies between kVectors registers.
template <int kVectors>
HWY_INLINE void butterflies_between(FloatVec* v) {
  for (int distance = 1; distance < kVectors; distance *= 2)
    for (int j = 0; j < kVectors; ++j) {
      if (j & distance) continue;
      const FloatVec a = v[j], b = v[j + distance];
      v[j] = hn::Add(a, b);
      v[j + distance] = hn::Sub(a, b);
    }
}

// Half the registers of AVX2: a block of more does not stay in registers, its last butterflies go through the cache.
constexpr int kMostVectors = 8;

// Alignment of `to` is that of vectors where streamed.
template <bool kStream>
HWY_INLINE void store(FloatVec v, float* to) {
  if constexpr (kStream)
    hn::Stream(v, kF, to);
  else
    hn::StoreU(v, kF, to);
}

// One block, or for blocks smaller than a vector one vector of them. Distances go up, as in the reference.
template <int kBlock, bool kStream>
HWY_INLINE void rotate(const float* in, float* out, FloatVec norm) {
  constexpr int kVectors = kBlock > kFloats ? kBlock / kFloats : 1;
  if constexpr (kVectors <= kMostVectors) {
    FloatVec v[kVectors];
    for (int j = 0; j < kVectors; ++j)
      v[j] = butterflies_inside<1, (kBlock < kFloats ? kBlock : kFloats)>(hn::LoadU(kF, in + j * kFloats));
    butterflies_between<kVectors>(v);
    for (int j = 0; j < kVectors; ++j) store<kStream>(hn::Mul(v[j], norm), out + j * kFloats);
  } else {
    constexpr int kHalf = kBlock / 2;
    HWY_ALIGN float halves[kBlock];
    rotate<kHalf, false>(in, halves, hn::Set(kF, 1.0f));
    rotate<kHalf, false>(in + kHalf, halves + kHalf, hn::Set(kF, 1.0f));
    for (int j = 0; j < kHalf; j += kFloats) {
      const FloatVec a = hn::Load(kF, halves + j), b = hn::Load(kF, halves + kHalf + j);
      store<kStream>(hn::Mul(hn::Add(a, b), norm), out + j);
      store<kStream>(hn::Mul(hn::Sub(a, b), norm), out + kHalf + j);
    }
  }
}

template <int kBlock, bool kStream>
void rotate_row(const float* in, float* out, int64_t n) {
  constexpr int kStep = kBlock > kFloats ? kBlock : kFloats;
  const FloatVec norm = hn::Set(kF, static_cast<float>(1.0 / std::sqrt(static_cast<double>(kBlock))));
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) rotate<kBlock, kStream>(in + i, out + i, norm);
  if (i == n) return;
  float rest[kStep] = {};  // blocks smaller than a vector that do not fill one
  std::memcpy(rest, in + i, static_cast<size_t>(n - i) * sizeof(float));
  rotate<kBlock, false>(rest, rest, norm);
  std::memcpy(out + i, rest, static_cast<size_t>(n - i) * sizeof(float));
}

template <bool kStream>
void rotate_blocks(const float* in, float* out, int64_t n, int64_t block) {
  switch (block) {
    case 2:
      return rotate_row<2, kStream>(in, out, n);
    case 4:
      return rotate_row<4, kStream>(in, out, n);
    case 8:
      return rotate_row<8, kStream>(in, out, n);
    case 16:
      return rotate_row<16, kStream>(in, out, n);
    case 32:
      return rotate_row<32, kStream>(in, out, n);
    case 64:
      return rotate_row<64, kStream>(in, out, n);
    case 128:
      return rotate_row<128, kStream>(in, out, n);
    default:
      return reference::hadamard(in, out, n, block);
  }
}

void hadamard(const float* in, float* out, int64_t n, int64_t block) { rotate_blocks<false>(in, out, n, block); }

void hadamard_streamed(const float* in, float* out, int64_t n, int64_t block) {
  const bool aligned = reinterpret_cast<uintptr_t>(out) % (kFloats * sizeof(float)) == 0;
  aligned ? rotate_blocks<true>(in, out, n, block) : rotate_blocks<false>(in, out, n, block);
}

#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(hadamard);
HWY_EXPORT(hadamard_streamed);

void hadamard(const float* in, float* out, int64_t n, int64_t block) {
  HWY_DYNAMIC_DISPATCH(hadamard)(in, out, n, block);
}

void hadamard_streamed(const float* in, float* out, int64_t n, int64_t block) {
  HWY_DYNAMIC_DISPATCH(hadamard_streamed)(in, out, n, block);
}
}  // namespace detent::kernels
#endif
