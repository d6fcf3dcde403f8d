// Conversions checked against the definition: the nearest representable number, ties to the even mantissa.
#include "detent/format/half.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/special_floats.h"

namespace detent {
namespace {

using test::kInfinity;

// The value of a finite half, from the standard's formula.
double half_value(uint16_t half) {
  const int exponent = (half >> 10) & 31, mantissa = half & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

bool is_finite_half(uint16_t half) { return (half & 0x7c00) != 0x7c00; }

TEST(Half, EveryHalfDecodesByTheStandardsFormula) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float value = half_bits_to_float(half);
    EXPECT_EQ(std::signbit(value), half >= 0x8000) << bits;
    if (is_finite_half(half)) {
      EXPECT_EQ(value, half_value(half)) << bits;
    } else if ((half & 0x3ff) == 0) {
      EXPECT_TRUE(std::isinf(value)) << bits;
    } else {
      EXPECT_TRUE(std::isnan(value)) << bits;
    }
  }
}

TEST(Half, EveryHalfComesBack) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits), back = float_to_half_bits(half_bits_to_float(half));
    if (std::isnan(half_bits_to_float(half)))
      EXPECT_TRUE(std::isnan(half_bits_to_float(back))) << bits;
    else
      EXPECT_EQ(back, half) << bits;
  }
}

// Between neighbours: the middle goes to the even one, one float to either side to the nearer one. The neighbour of
// the largest half is 2^16, which stands for infinity.
TEST(Half, EveryMiddleRoundsToEven) {
  for (uint16_t low = 0; low < 0x7c00; ++low) {
    const uint16_t high = static_cast<uint16_t>(low + 1), even = low % 2 == 0 ? low : high;
    const double above = is_finite_half(high) ? half_value(high) : 65536.0;
    const float middle = static_cast<float>((half_value(low) + above) / 2);  // exact: one bit more than a half
    EXPECT_EQ(float_to_half_bits(middle), even) << low;
    EXPECT_EQ(float_to_half_bits(std::nextafter(middle, 0.0f)), low) << low;
    EXPECT_EQ(float_to_half_bits(std::nextafter(middle, kInfinity)), high) << low;
    EXPECT_EQ(float_to_half_bits(-middle), even | 0x8000) << low;
    EXPECT_EQ(float_to_half_bits(std::nextafter(static_cast<float>(half_value(low)), kInfinity)), low) << low;
  }
}

TEST(Half, Extremes) {
  EXPECT_EQ(float_to_half_bits(kInfinity), 0x7c00);
  EXPECT_EQ(float_to_half_bits(-kInfinity), 0xfc00);
  EXPECT_EQ(float_to_half_bits(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(float_to_half_bits(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(float_to_half_bits(-std::numeric_limits<float>::denorm_min()), 0x8000);
  EXPECT_TRUE(std::isnan(half_bits_to_float(float_to_half_bits(std::bit_cast<float>(0x7f800001u)))));
}

TEST(Bfloat16, EveryNumberComesBack) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const uint16_t number = static_cast<uint16_t>(bits), back = float_to_bf16_bits(bf16_bits_to_float(number));
    if (std::isnan(bf16_bits_to_float(number)))
      EXPECT_TRUE(std::isnan(bf16_bits_to_float(back))) << bits;
    else
      EXPECT_EQ(back, number) << bits;
  }
}

TEST(Bfloat16, EveryMiddleRoundsToEven) {
  for (uint32_t low = 0; low < 0x7f80; ++low) {
    const uint32_t middle = low << 16 | 0x8000, even = low + low % 2;
    EXPECT_EQ(float_to_bf16_bits(std::bit_cast<float>(middle)), even) << low;
    EXPECT_EQ(float_to_bf16_bits(std::bit_cast<float>(middle - 1)), low) << low;
    EXPECT_EQ(float_to_bf16_bits(std::bit_cast<float>(middle + 1)), low + 1) << low;
    EXPECT_EQ(float_to_bf16_bits(-std::bit_cast<float>(middle)), even | 0x8000) << low;
  }
}

TEST(Bfloat16, NanStaysNan) {
  for (uint32_t bits : {0x7f800001u, 0x7fffffffu, 0xff800001u, 0xffffffffu})
    EXPECT_TRUE(std::isnan(bf16_bits_to_float(float_to_bf16_bits(std::bit_cast<float>(bits))))) << bits;
}

}  // namespace
}  // namespace detent
