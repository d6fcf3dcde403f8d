// The definition of the noise: Philox words, then Box-Muller on pairs of words (0, 1) and (2, 3) of each block.
#include <bit>
#include <cmath>

#include "detent/kernels/noise/noise.h"
#include "detent/kernels/noise/polynomials.h"

namespace detent::kernels::reference {

namespace {
template <int kTerms>
float horner(const float (&coefficients)[kTerms], float x) {
  float sum = coefficients[kTerms - 1];
  for (int i = kTerms - 2; i >= 0; --i) sum = sum * x + coefficients[i];
  return sum;
}

// log of u in (0, 1].
float log_unit(float u) {
  const int32_t bits = std::bit_cast<int32_t>(u);
  const int32_t exponent = (bits - static_cast<int32_t>(kSqrtHalfBits)) >> 23;
  const float f = std::bit_cast<float>(bits - exponent * (1 << 23)) - 1.0f;
  return static_cast<float>(exponent) * kLn2 + (f + f * f * (f * horner(kLogPoly, f) - 0.5f));
}

// sqrt(-2 log u) with u = (word/2 + 1/2) / 2^31: never log(0), and tails up to 6.66.
float radius(uint32_t word) {
  const float u = (static_cast<float>(static_cast<int32_t>(word >> 1)) + 0.5f) * 0x1p-31f;
  return std::sqrt(-2.0f * log_unit(u));
}

struct Direction {
  float cosine, sine;
};

// The word is an angle in units of 2^-32 turns; the nearest quarter turn is split off exactly.
Direction direction(uint32_t word) {
  const uint32_t quarter = (word + (1u << 29)) >> 30;
  const float a = static_cast<float>(static_cast<int32_t>(word - (quarter << 30))) * kAngleUnit;
  const float a2 = a * a;
  const float sine = a + a * a2 * horner(kSinPoly, a2);
  const float cosine = 1.0f - 0.5f * a2 + a2 * a2 * horner(kCosPoly, a2);
  switch (quarter & 3) {
    case 0:
      return {cosine, sine};
    case 1:
      return {-sine, cosine};
    case 2:
      return {-cosine, -sine};
    default:
      return {sine, -cosine};
  }
}

float gaussian(const RandomStream& stream, uint64_t element) {
  const PhiloxBlock block = stream.block(element / 4);
  const int pair = static_cast<int>(element % 4) & 2;
  const Direction unit = direction(block[pair + 1]);
  return radius(block[pair]) * (element % 2 ? unit.sine : unit.cosine);
}
}  // namespace

void add_gaussian(const float* x, float* out, int64_t n, float sigma, const RandomStream& stream, uint64_t first) {
  for (int64_t k = 0; k < n; ++k) out[k] = x[k] + sigma * gaussian(stream, first + static_cast<uint64_t>(k));
}

}  // namespace detent::kernels::reference
