// Every code and every small scale of the block types with two-level scales, under extreme super-scales; which grids
// they hold.
#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "detent/base/error.h"
#include "detent/format/ggml_blocks.h"
#include "detent/format/half.h"
#include "detent/format/k_fit.h"
#include "detent/format/two_level.h"

namespace detent {
namespace {

using testing::HasSubstr;

constexpr uint16_t kSupers[] = {0x3C00, 0x1A3D, 0x0001, 0x03FF, 0x0400, 0x7BFF, 0x0000,
                                0xBC00, 0x9A3D, 0x8001, 0x83FF, 0x8400, 0xFBFF, 0x8000};

class KBlocks : public testing::TestWithParam<KBlock> {
 protected:
  const KBlock& block() const { return GetParam(); }
  TwoLevel scales() const { return two_level(block().scale_format).value(); }
  int groups() const { return block().elements / block().group; }

  // By the formula of the type, each float32 operation rounded from its exact value in double.
  float value(uint16_t d, uint16_t min, int k, int q) const {
    const auto step = static_cast<float>(double{half_bits_to_float(d)} * k);
    if (block().low) return static_cast<float>(double{step} * (q + double{*block().low}));
    const auto offset = static_cast<float>(double{half_bits_to_float(min)} * k);
    return static_cast<float>(double{static_cast<float>(double{step} * q)} - double{offset});
  }

  void check(uint16_t d, uint16_t min, const std::vector<int>& k, const std::vector<uint8_t>& codes) const {
    std::vector<std::byte> packed(block().bytes);
    pack_k_block(block(), {d, min, k}, codes, packed);
    std::vector<float> got(block().elements);
    unpack_blocks(block(), packed, got);
    for (int j = 0; j < block().elements; ++j)
      ASSERT_EQ(std::bit_cast<uint32_t>(got[j]), std::bit_cast<uint32_t>(value(d, min, k[j / block().group], codes[j])))
          << block().name << " d " << d << " k " << k[j / block().group] << " q " << int{codes[j]} << " at " << j;
  }
};

TEST_P(KBlocks, EveryCodeAtEveryPositionUnderEverySuperScale) {
  std::mt19937 random(3);
  for (const uint16_t d : kSupers)
    for (const uint16_t min : {kSupers[random() % 14], kSupers[random() % 14]})
      for (int q = 0; q <= block().high; ++q)
        for (int shift = 0; shift <= block().high; ++shift) {
          std::vector<int> k(groups());
          for (int& one : k) one = scales().low + static_cast<int>(random() % (scales().high - scales().low + 1));
          std::vector<uint8_t> codes(block().elements);
          for (int j = 0; j < block().elements; ++j) codes[j] = static_cast<uint8_t>((j + shift) % (block().high + 1));
          codes[random() % codes.size()] = static_cast<uint8_t>(q);
          check(d, min, k, codes);
        }
}

TEST_P(KBlocks, EverySmallScaleInEveryGroup) {
  std::mt19937 random(4);
  for (int group = 0; group < groups(); ++group)
    for (int one = scales().low; one <= scales().high; ++one) {
      std::vector<int> k(groups(), scales().high + scales().low - one);
      k[group] = one;
      std::vector<uint8_t> codes(block().elements);
      for (uint8_t& code : codes) code = static_cast<uint8_t>(random() % (block().high + 1));
      check(0x3C00, 0x4000, k, codes);
    }
}

TEST_P(KBlocks, RefusesWhatItDoesNotHave) {
  const std::vector<int> k(groups(), 1), few(groups() - 1, 1), low(groups(), scales().low - 1),
      high(groups(), scales().high + 1);
  const std::vector<uint8_t> codes(block().elements), short_codes(3), large(block().elements, block().high + 1);
  std::vector<std::byte> packed(block().bytes), short_bytes(3);
  EXPECT_NO_THROW(pack_k_block(block(), {0, 0, k}, codes, packed));
  EXPECT_THROW(pack_k_block(block(), {0, 0, few}, codes, packed), Error);
  EXPECT_THROW(pack_k_block(block(), {0, 0, low}, codes, packed), Error);
  EXPECT_THROW(pack_k_block(block(), {0, 0, high}, codes, packed), Error);
  EXPECT_THROW(pack_k_block(block(), {0, 0, k}, short_codes, packed), Error);
  EXPECT_THROW(pack_k_block(block(), {0, 0, k}, large, packed), Error);
  EXPECT_THROW(pack_k_block(block(), {0, 0, k}, codes, short_bytes), Error);
}

INSTANTIATE_TEST_SUITE_P(All, KBlocks, testing::ValuesIn(packed_k_blocks().begin(), packed_k_blocks().end()),
                         [](const auto& one) { return one.param.name; });

TEST(KFit, GridsThatTheTypesHold) {
  const auto fit = [](const char* name, const char* kind, int bits, const char* format) {
    const ScaleFormat scales = parse_scale_format(format);
    const Granularity group = parse_granularity(two_level(scales) ? "32" : "row");
    const QuantSpec spec{make_grid(kind, bits), group, ScaleRule::kLearned, scales};
    return !block_refusal(*find_k_block(name), spec, 256);
  };
  EXPECT_TRUE(fit("Q2_K", "int", 2, "q2_k"));
  EXPECT_TRUE(fit("Q2_K", "int", 2, "fp16"));
  EXPECT_TRUE(fit("Q2_K", "midrise", 2, "q2_k"));
  EXPECT_TRUE(fit("Q2_K", "midrise", 2, "fp16_bf16"));
  EXPECT_FALSE(fit("Q2_K", "midrise", 2, "fp16"));  // 1.5 of 11 significant bits
  EXPECT_TRUE(fit("Q2_K", "int_high", 2, "q2_k"));
  EXPECT_TRUE(fit("Q2_K", "ternary", 2, "q2_k"));
  EXPECT_FALSE(fit("Q2_K", "int", 3, "q2_k"));
  EXPECT_FALSE(fit("Q2_K", "int", 2, "q4_k"));
  EXPECT_FALSE(fit("Q2_K", "int", 2, "fp32"));
  EXPECT_TRUE(fit("Q3_K", "int", 3, "q3_k"));
  EXPECT_TRUE(fit("Q3_K", "midrise", 2, "q3_k"));
  EXPECT_FALSE(fit("Q3_K", "midrise", 3, "q3_k"));
  EXPECT_TRUE(fit("Q4_K", "int", 4, "q4_k"));
  EXPECT_FALSE(fit("Q4_K", "midrise", 4, "q4_k"));
  EXPECT_FALSE(fit("Q4_K", "int_high", 4, "q4_k"));  // a lowest level of -7
  EXPECT_FALSE(fit("Q4_K", "e2m1", 4, "q4_k"));
}

TEST(KFit, RefusalsSayWhyAndTheNearestIsAccepted) {
  const KBlock& q4 = *find_k_block("Q4_K");
  const auto why = [&](const QuantSpec& spec, int64_t columns = 256) {
    return block_refusal(q4, spec, columns).value_or("accepted");
  };
  const QuantSpec good{make_grid("int", 4), parse_granularity("32"), ScaleRule::kAbsmax, ScaleFormat::kQ4K};
  EXPECT_EQ(why(good), "accepted");
  EXPECT_THAT(why(good, 128), HasSubstr("rows of 128 weights are not whole blocks of 256"));
  QuantSpec other = good;
  other.granularity = parse_granularity("16");
  EXPECT_THAT(why(other), HasSubstr("32 weights share a scale of format q4_k in a block, 16 in a group"));
  other = good;
  other.scale_format = ScaleFormat::kFp16;
  EXPECT_THAT(why(other), HasSubstr("256 weights share a scale of format fp16 in a block, 32 in a group"));
  other.granularity = parse_granularity("row");
  other.scale_rule = ScaleRule::kAbsmaxSigned;
  EXPECT_THAT(why(other), HasSubstr("no sign"));
  for (const KBlock& block : packed_k_blocks())
    for (const std::string& kind : grid_names())
      for (int bits = 1; bits <= 8; ++bits)
        for (const char* group : {"16", "32", "row", "tensor"})
          for (const std::string& format : scale_format_names())
            for (const ScaleRule rule : {ScaleRule::kAbsmax, ScaleRule::kAbsmaxFull, ScaleRule::kAbsmaxSigned}) {
              QuantSpec spec{{}, parse_granularity(group), rule, parse_scale_format(format)};
              try {
                spec.grid = make_grid(kind, bits);
              } catch (const Error&) {
                continue;
              }
              if (spec_problem(spec)) continue;
              const auto near = nearest_block_spec(block, spec, 256);
              ASSERT_TRUE(near);
              EXPECT_FALSE(spec_problem(*near)) << spec.name() << ": " << near->name();
              EXPECT_FALSE(block_refusal(block, *near, 256))
                  << block.name << " " << spec.name() << ": " << near->name();
              if (!block_refusal(block, spec, 256)) {
                EXPECT_EQ(*near, spec);
              }
            }
}

}  // namespace
}  // namespace detent
