#include "detent/format/packed_ints.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "detent/base/error.h"

namespace detent {
namespace {

// Bit by bit: bit k of the stream is bit k % 32 of word k / 32.
std::vector<uint32_t> packed_plainly(const std::vector<int8_t>& values, int bits) {
  std::vector<uint32_t> words(packed_words(static_cast<int64_t>(values.size()), bits));
  for (size_t i = 0; i < values.size(); ++i)
    for (int b = 0; b < bits; ++b) {
      const size_t k = i * bits + b;
      const auto code = static_cast<uint32_t>(values[i] + (1 << (bits - 1)));
      words[k / 32] |= (code >> b & 1u) << (k % 32);
    }
  return words;
}

TEST(PackedInts, EveryWidthAndLengthIsTheStreamOfBits) {
  std::mt19937 random(1);
  for (int bits = 1; bits <= 8; ++bits)
    for (int64_t length = 0; length <= 70; ++length) {
      std::vector<int8_t> values(length), back(length);
      for (int8_t& value : values)
        value = static_cast<int8_t>(static_cast<int>(random() % (1u << bits)) - (1 << (bits - 1)));
      std::vector<uint32_t> words(packed_words(length, bits), 0xffffffffu);
      pack_ints(values, bits, words);
      ASSERT_EQ(words, packed_plainly(values, bits)) << bits << " " << length;
      unpack_ints(words, bits, back);
      ASSERT_EQ(back, values) << bits << " " << length;
    }
}

TEST(PackedInts, RefusesWhatDoesNotFit) {
  std::vector<int8_t> values = {7, -8, 8};
  std::vector<uint32_t> one(1), two(2);
  EXPECT_THROW(pack_ints(values, 4, one), Error);
  EXPECT_THROW(pack_ints(values, 8, two), Error);
  EXPECT_THROW(pack_ints(values, 9, one), Error);
  EXPECT_THROW(unpack_ints(two, 8, values), Error);
  EXPECT_THROW(unpack_ints(one, 0, values), Error);
}

TEST(PackedFit, FewestBitsOfEveryGrid) {
  const auto fit = [](const char* kind, int bits) {
    return packed_fit(make_grid(kind, bits), false).value_or(PackedFit{0, 0});
  };
  struct Case {
    const char* kind;
    int bits, packed;
    float factor;
  };
  for (const Case& c : {Case{"int", 2, 2, 1},
                        {"int", 8, 8, 1},
                        {"int_high", 2, 3, 1},
                        {"int_high", 7, 8, 1},
                        {"ternary", 2, 2, 1},
                        {"binary", 1, 2, 1},
                        {"midrise", 1, 2, 0.5f},
                        {"midrise", 4, 5, 0.5f},
                        {"midrise", 7, 8, 0.5f},
                        {"e2m1", 4, 5, 0.5f},
                        {"midrise", 8, 0, 0}}) {
    EXPECT_EQ(fit(c.kind, c.bits).bits, c.packed) << c.kind << c.bits;
    EXPECT_EQ(fit(c.kind, c.bits).factor, c.factor) << c.kind << c.bits;
  }
}

// A zero point spares a bit where the odd level lies above, and is used nowhere
// else.
TEST(PackedFit, ZeroPoints) {
  for (const char* kind : {"int", "int_high", "midrise"})
    for (int bits = 2; bits <= 7; ++bits) {
      const Grid grid = make_grid(kind, bits);
      const auto fit = packed_fit(grid, true), without = packed_fit(grid, false);
      ASSERT_TRUE(fit && without);
      const bool high = grid.kind == GridKind::kIntHigh;
      EXPECT_EQ(fit->zero_point, high ? -1 : 0) << grid.name();
      EXPECT_EQ(fit->bits, high ? bits : without->bits) << grid.name();
    }
}

}  // namespace
}  // namespace detent
