// Gaussian noise with Highway: as many Philox blocks at a time as a vector has lanes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/noise/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include "detent/kernels/noise/noise.h"
#include "detent/kernels/noise/polynomials.h"
#include "detent/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
using reference::add_gaussian;
#else

using WordTag = hn::RebindToUnsigned<FloatTag>;
using WordVec = hn::Vec<WordTag>;
constexpr WordTag kU;
constexpr int kBlocks = kFloats;     // Philox blocks in flight
constexpr int kRound = 4 * kBlocks;  // elements they give

struct WideProduct {
  WordVec high, low;
};

HWY_INLINE WideProduct multiply(WordVec a, uint32_t factor) {
  const hn::Repartition<uint64_t, WordTag> wide;
  const WordVec f = hn::Set(kU, factor);
  const auto even = hn::MulEven(a, f);
  const auto odd = hn::MulEven(hn::BitCast(kU, hn::ShiftRight<32>(hn::BitCast(wide, a))), f);
  const WordVec even_words = hn::BitCast(kU, even), odd_words = hn::BitCast(kU, odd);
  return {hn::OddEven(odd_words, hn::BitCast(kU, hn::ShiftRight<32>(even))),
          hn::OddEven(hn::BitCast(kU, hn::ShiftLeft<32>(odd)), even_words)};
}

// philox4x32 of base/philox.h for the blocks first .. first + kBlocks - 1.
HWY_INLINE void philox(const RandomStream& stream, uint64_t first, WordVec words[4]) {
  const WordVec start = hn::Set(kU, static_cast<uint32_t>(first));
  WordVec c0 = hn::Add(start, hn::Iota(kU, 0));
  const WordVec carry = hn::VecFromMask(kU, hn::Lt(c0, start));  // all ones where the low word wrapped
  WordVec c1 = hn::Sub(hn::Set(kU, static_cast<uint32_t>(first >> 32)), carry);
  WordVec c2 = hn::Set(kU, stream.step), c3 = hn::Set(kU, stream.tensor);
  uint32_t key0 = static_cast<uint32_t>(stream.seed), key1 = static_cast<uint32_t>(stream.seed >> 32);
  for (int round = 0; round < 10; ++round, key0 += 0x9E3779B9u, key1 += 0xBB67AE85u) {
    const WideProduct product0 = multiply(c0, 0xD2511F53u), product1 = multiply(c2, 0xCD9E8D57u);
    c0 = hn::Xor(hn::Xor(product1.high, c1), hn::Set(kU, key0));
    c1 = product1.low;
    c2 = hn::Xor(hn::Xor(product0.high, c3), hn::Set(kU, key1));
    c3 = product0.low;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

template <int kTerms>
HWY_INLINE FloatVec horner(const float (&coefficients)[kTerms], FloatVec x) {
  FloatVec sum = hn::Set(kF, coefficients[kTerms - 1]);
  for (int i = kTerms - 2; i >= 0; --i) sum = hn::Add(hn::Mul(sum, x), hn::Set(kF, coefficients[i]));
  return sum;
}

HWY_INLINE FloatVec log_unit(FloatVec u) {
  const IntVec bits = hn::BitCast(kI, u);
  const IntVec exponent = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(kI, static_cast<int32_t>(kSqrtHalfBits))));
  const FloatVec f = hn::Sub(hn::BitCast(kF, hn::Sub(bits, hn::ShiftLeft<23>(exponent))), hn::Set(kF, 1.0f));
  const FloatVec tail = hn::Sub(hn::Mul(f, horner(kLogPoly, f)), hn::Set(kF, 0.5f));
  const FloatVec mantissa = hn::Add(f, hn::Mul(hn::Mul(f, f), tail));
  return hn::Add(hn::Mul(hn::ConvertTo(kF, exponent), hn::Set(kF, kLn2)), mantissa);
}

HWY_INLINE FloatVec radius(WordVec word) {
  const FloatVec half = hn::ConvertTo(kF, hn::BitCast(kI, hn::ShiftRight<1>(word)));
  const FloatVec u = hn::Mul(hn::Add(half, hn::Set(kF, 0.5f)), hn::Set(kF, 0x1p-31f));
  return hn::Sqrt(hn::Mul(hn::Set(kF, -2.0f), log_unit(u)));
}

// z0 = radius * cos, z1 = radius * sin of the two words of a pair.
HWY_INLINE void box_muller(WordVec radius_word, WordVec angle_word, FloatVec& z0, FloatVec& z1) {
  const WordVec quarter = hn::ShiftRight<30>(hn::Add(angle_word, hn::Set(kU, 1u << 29)));
  const IntVec rest = hn::BitCast(kI, hn::Sub(angle_word, hn::ShiftLeft<30>(quarter)));
  const FloatVec a = hn::Mul(hn::ConvertTo(kF, rest), hn::Set(kF, kAngleUnit));
  const FloatVec a2 = hn::Mul(a, a);
  const FloatVec sine = hn::Add(a, hn::Mul(hn::Mul(a, a2), horner(kSinPoly, a2)));
  const FloatVec cosine = hn::Add(hn::Sub(hn::Set(kF, 1.0f), hn::Mul(hn::Set(kF, 0.5f), a2)),
                                  hn::Mul(hn::Mul(a2, a2), horner(kCosPoly, a2)));
  // Quarter turns: odd ones swap the two, quarters 1 and 2 negate the cosine, 2 and 3 the sine.
  const auto odd = hn::RebindMask(kF, hn::TestBit(quarter, hn::Set(kU, 1)));
  const FloatVec cosine_sign =
      hn::BitCast(kF, hn::ShiftLeft<30>(hn::And(hn::Add(quarter, hn::Set(kU, 1)), hn::Set(kU, 2))));
  const FloatVec sine_sign = hn::BitCast(kF, hn::ShiftLeft<30>(hn::And(quarter, hn::Set(kU, 2))));
  const FloatVec r = radius(radius_word);
  z0 = hn::Mul(r, hn::Xor(hn::IfThenElse(odd, sine, cosine), cosine_sign));
  z1 = hn::Mul(r, hn::Xor(hn::IfThenElse(odd, cosine, sine), sine_sign));
}

HWY_INLINE void gaussians(const RandomStream& stream, uint64_t block, float* z) {
  WordVec words[4];
  FloatVec z0, z1, z2, z3;
  philox(stream, block, words);
  box_muller(words[0], words[1], z0, z1);
  box_muller(words[2], words[3], z2, z3);
  hn::StoreInterleaved4(z0, z1, z2, z3, kF, z);
}

HWY_INLINE void add_scaled(const float* x, const float* z, float sigma, float* out, int64_t n) {
  int64_t i = 0;
  for (; i + kBlocks <= n; i += kBlocks) {
    const FloatVec noise = hn::Mul(hn::Set(kF, sigma), hn::LoadU(kF, z + i));
    hn::StoreU(hn::Add(hn::LoadU(kF, x + i), noise), kF, out + i);
  }
  for (; i < n; ++i) out[i] = x[i] + sigma * z[i];
}

void add_gaussian(const float* x, float* out, int64_t n, float sigma, const RandomStream& stream, uint64_t first) {
  alignas(64) float z[kRound];
  uint64_t block = first / 4;
  int64_t skip = static_cast<int64_t>(first % 4);  // elements of the first block that come before `first`
  for (int64_t k = 0; k < n; block += kBlocks, skip = 0) {
    gaussians(stream, block, z);
    const int64_t count = n - k < kRound - skip ? n - k : kRound - skip;
    add_scaled(x + k, z + skip, sigma, out + k, count);
    k += count;
  }
}

#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(add_gaussian);

void add_gaussian(const float* x, float* out, int64_t n, float sigma, const RandomStream& stream, uint64_t first) {
  HWY_DYNAMIC_DISPATCH(add_gaussian)(x, out, n, sigma, stream, first);
}
}  // namespace detent::kernels
#endif
