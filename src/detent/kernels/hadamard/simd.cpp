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

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
using reference::hadamard;
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

// One block, or for blocks smaller than a vector one vector of them. Distances go up, as in the reference.
template <int kBlock>
HWY_INLINE void rotate(const float* in, float* out, FloatVec norm) {
  constexpr int kVectors = kBlock > kFloats ? kBlock / kFloats : 1;
  if constexpr (kVectors <= kMostVectors) {
    FloatVec v[kVectors];
    for (int j = 0; j < kVectors; ++j)
      v[j] = butterflies_inside<1, (kBlock < kFloats ? kBlock : kFloats)>(hn::LoadU(kF, in + j * kFloats));
    butterflies_between<kVectors>(v);
    for (int j = 0; j < kVectors; ++j) hn::StoreU(hn::Mul(v[j], norm), kF, out + j * kFloats);
  } else {
    constexpr int kHalf = kBlock / 2;
    rotate<kHalf>(in, out, hn::Set(kF, 1.0f));
    rotate<kHalf>(in + kHalf, out + kHalf, hn::Set(kF, 1.0f));
    for (int j = 0; j < kHalf; j += kFloats) {
      const FloatVec a = hn::LoadU(kF, out + j), b = hn::LoadU(kF, out + kHalf + j);
      hn::StoreU(hn::Mul(hn::Add(a, b), norm), kF, out + j);
      hn::StoreU(hn::Mul(hn::Sub(a, b), norm), kF, out + kHalf + j);
    }
  }
}

template <int kBlock>
void rotate_row(const float* in, float* out, int64_t n) {
  constexpr int kStep = kBlock > kFloats ? kBlock : kFloats;
  const FloatVec norm = hn::Set(kF, static_cast<float>(1.0 / std::sqrt(static_cast<double>(kBlock))));
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) rotate<kBlock>(in + i, out + i, norm);
  if (i == n) return;
  float rest[kStep] = {};  // blocks smaller than a vector that do not fill one
  std::memcpy(rest, in + i, static_cast<size_t>(n - i) * sizeof(float));
  rotate<kBlock>(rest, rest, norm);
  std::memcpy(out + i, rest, static_cast<size_t>(n - i) * sizeof(float));
}

void hadamard(const float* in, float* out, int64_t n, int64_t block) {
  switch (block) {
    case 2:
      return rotate_row<2>(in, out, n);
    case 4:
      return rotate_row<4>(in, out, n);
    case 8:
      return rotate_row<8>(in, out, n);
    case 16:
      return rotate_row<16>(in, out, n);
    case 32:
      return rotate_row<32>(in, out, n);
    case 64:
      return rotate_row<64>(in, out, n);
    case 128:
      return rotate_row<128>(in, out, n);
    default:
      return reference::hadamard(in, out, n, block);
  }
}

#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(hadamard);

void hadamard(const float* in, float* out, int64_t n, int64_t block) {
  HWY_DYNAMIC_DISPATCH(hadamard)(in, out, n, block);
}
}  // namespace detent::kernels
#endif
