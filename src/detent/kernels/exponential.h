// exp(x) for x <= 0: x = k ln 2 + r, |r| <= ln 2 / 2, and Taylor's sum of exp(r) to r^7, whose rest is below 6e-9.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace detent::kernels {

inline constexpr float kLog2E = 1.44269504f;
// ln 2 in two floats; the first has so few bits that its product with k is exact.
inline constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
inline constexpr float kLeastExponent = -87.0f;  // below it exp(x) is taken for 0, and so is that of NaN
// 1 / 7! ... 1 / 0!, for Horner's scheme.
inline constexpr float kTaylor[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};

namespace reference {

inline float exp_of_negative(float x) {
  if (!(x > kLeastExponent)) return 0;
  const float k = std::nearbyint(x * kLog2E);
  const float r = x - k * kLn2High - k * kLn2Low;
  float sum = kTaylor[0];
  for (int i = 1; i < 8; ++i) sum = sum * r + kTaylor[i];
  return sum * std::bit_cast<float>((static_cast<int32_t>(k) + 127) << 23);
}

}  // namespace reference
}  // namespace detent::kernels
