// Minimax coefficients (Remez, 40 digits, rounded to float) for Box-Muller, lowest power first.
#pragma once

namespace detent::kernels {

// log(1+f) = f + f^2 (f P(f) - 1/2) for sqrt(1/2) <= 1+f <= sqrt(2); relative error 3.4e-8.
inline constexpr float kLogPoly[] = {0x1.5556b4p-2f, -0x1.000494p-2f, 0x1.98e48cp-3f, -0x1.5343f2p-3f,
                                     0x1.30ab02p-3f, -0x1.25e182p-3f, 0x1.6d50b4p-4f};
// sin(a) = a + a^3 P(a^2) and cos(a) = 1 - a^2/2 + a^4 P(a^2) for |a| <= pi/4; errors 4e-9 and 1e-10.
inline constexpr float kSinPoly[] = {-0x1.555546p-3f, 0x1.110766p-7f, -0x1.995048p-13f};
inline constexpr float kCosPoly[] = {0x1.55554ap-5f, -0x1.6c0c9ep-10f, 0x1.9a06c8p-16f};

inline constexpr float kLn2 = 0x1.62e43p-1f;           // accurate to 3e-9, so no low part is needed
inline constexpr unsigned kSqrtHalfBits = 0x3f3504f3;  // the float sqrt(1/2)
inline constexpr float kAngleUnit = 0x1.921fb6p-30f;   // a turn is 2^32: pi/2 / 2^30

}  // namespace detent::kernels
