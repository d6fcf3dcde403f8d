// 4-bit floats and their powers of two, as the OCP Microscaling Formats v1.0
// list them (tables 5 and 7).
#include "detent/format/packed_fp4.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "detent/base/error.h"

namespace detent {
namespace {

TEST(PackedFp4, EveryCodeIsItsNumber) {
  const float numbers[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  for (unsigned low = 0; low < 16; ++low)
    for (unsigned high = 0; high < 16; ++high) {
      const std::byte byte{static_cast<unsigned char>(low | high << 4)};
      float got[2];
      unpack_fp4({&byte, 1}, got);
      const unsigned codes[2] = {low, high};
      for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(std::fabs(got[i]), numbers[codes[i] & 7]);
        EXPECT_EQ(std::signbit(got[i]), codes[i] >= 8);
      }
    }
}

TEST(PackedFp4, LevelsComeBack) {
  const std::vector<int8_t> levels = {0, 1, 2, 3, 4, 6, 8, 12, -1, -2, -3, -4, -6, -8, -12, 0};
  std::vector<std::byte> bytes(8);
  pack_fp4(levels, bytes);
  std::vector<float> values(16);
  unpack_fp4(bytes, values);
  for (size_t i = 0; i < levels.size(); ++i) {
    EXPECT_EQ(2 * values[i], levels[i]);
    EXPECT_EQ(std::signbit(values[i]), levels[i] < 0);
  }
}

TEST(PackedFp4, RefusesWhatDoesNotFit) {
  std::vector<std::byte> one(1);
  for (const int8_t level : {5, 7, 9, 13, -5, -128}) {
    const std::vector<int8_t> levels = {0, level};
    EXPECT_THROW(pack_fp4(levels, one), Error) << int{level};
  }
  const std::vector<int8_t> three = {0, 0, 0};
  EXPECT_THROW(pack_fp4(three, one), Error);
  std::vector<float> odd(3);
  EXPECT_THROW(unpack_fp4(one, odd), Error);
}

TEST(E8M0, PowersOfTwoAndNothingElse) {
  for (int e = 0; e < 255; ++e) {
    EXPECT_EQ(e8m0_value(static_cast<uint8_t>(e)), std::ldexp(1.0f, e - 127));
    EXPECT_EQ(e8m0_code(std::ldexp(1.0f, e - 127)), e);
  }
  EXPECT_TRUE(std::isnan(e8m0_value(255)));
  for (const float value : {0.0f, -0.0f, -1.0f, 1.5f, 0x1p-128f, 3e38f, INFINITY, -INFINITY, NAN})
    EXPECT_FALSE(e8m0_code(value)) << value;
}

}  // namespace
}  // namespace detent
