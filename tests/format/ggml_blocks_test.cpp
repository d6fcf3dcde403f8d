// Every code of every block type under extreme scales, and the golden bytes of tests/golden/blocks.safetensors.
#include "detent/format/ggml_blocks.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/format/half.h"
#include "detent/io/ggml_types.h"
#include "detent/io/safetensors.h"

namespace detent {
namespace {

using testing::HasSubstr;

// 1, smallest and largest subnormals, smallest normal, largest, zeros and the negative ones as fp16; powers of two.
std::vector<float> extreme_scales(const LevelBlock& block) {
  if (block.scale_format == ScaleFormat::kE8M0) return {1, 0x1p-128f, 0x1p-127f, 0x1p-126f, 0x1p-14f, 0x1p124f};
  std::vector<float> scales;
  for (const uint16_t bits :
       {0x3C00, 0x1A3D, 0x0001, 0x03FF, 0x0400, 0x7BFF, 0x0000, 0xBC00, 0x9A3D, 0x8001, 0x83FF, 0x8400, 0xFBFF, 0x8000})
    scales.push_back(half_bits_to_float(bits));
  return scales;
}

std::string name_of(const testing::TestParamInfo<LevelBlock>& info) { return info.param.name; }
std::string name_of_any(const testing::TestParamInfo<const GgmlBlock*>& info) { return info.param->name; }

std::vector<float> unpacked(const GgmlBlock& block, const std::vector<std::byte>& bytes) {
  std::vector<float> values(bytes.size() / block.bytes * block.elements);
  unpack_blocks(block, bytes, values);
  return values;
}

// A tensor of the golden file.
template <class T>
std::vector<T> golden(const std::string& name) {
  static const io::SafetensorsReader file(DETENT_SOURCE_DIR "/tests/golden/blocks.safetensors");
  const auto bytes = file.at(name).bytes;
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Any two NaNs are equal: ggml leaves to the processor which one comes out.
void expect_same_bits(const std::vector<float>& got, const std::vector<float>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    if (!std::isnan(got[i]) || !std::isnan(expected[i])) {
      ASSERT_EQ(std::bit_cast<uint32_t>(got[i]), std::bit_cast<uint32_t>(expected[i])) << "at " << i;
    }
}

class Blocks : public testing::TestWithParam<LevelBlock> {
 protected:
  const LevelBlock& block() const { return GetParam(); }
  std::vector<int> levels() const {
    std::vector<int> all;
    for (int level = block().levels.low; level <= block().levels.high; ++level)
      if (block().levels.has(level)) all.push_back(level);
    return all;
  }
  std::vector<std::byte> packed(float d, const std::vector<int8_t>& levels) const {
    std::vector<std::byte> bytes(levels.size() / block().elements * block().bytes);
    pack_blocks(block(), std::vector<uint16_t>(levels.size() / block().elements, block().scale_bits(d).value()), levels,
                bytes);
    return bytes;
  }
};

// Every level at every position of a block: blocks of one level, shifted through.
TEST_P(Blocks, EveryCodeAtEveryPositionUnderEveryScale) {
  for (const float d : extreme_scales(block()))
    for (const int level : levels())
      for (int position = 0; position < block().elements; ++position) {
        std::vector<int8_t> levels(block().elements,
                                   static_cast<int8_t>(block().levels.high + block().levels.low - level));
        levels[position] = static_cast<int8_t>(level);
        const std::vector<float> values = unpacked(block(), packed(d, levels));
        for (int j = 0; j < block().elements; ++j) {
          const float expected = d * static_cast<float>(levels[j]);
          ASSERT_EQ(std::bit_cast<uint32_t>(values[j]), std::bit_cast<uint32_t>(expected))
              << block().name << " d " << d << " level " << int{levels[j]} << " at " << j;
        }
      }
}

TEST_P(Blocks, RandomRowsRoundTrip) {
  std::mt19937 random(7);
  const std::vector<int> all = levels();
  std::vector<int8_t> row(block().elements * 5);
  for (int8_t& level : row) level = static_cast<int8_t>(all[random() % all.size()]);
  const std::vector<float> values = unpacked(block(), packed(1, row));
  for (size_t i = 0; i < row.size(); ++i) EXPECT_EQ(values[i], row[i]);
}

TEST_P(Blocks, RefusesLevelsAndSizesThatDoNotFit) {
  std::vector<int8_t> row(block().elements, static_cast<int8_t>(block().levels.low));
  std::vector<std::byte> whole(block().bytes), three(3);
  EXPECT_THROW(pack_blocks(block(), std::vector<uint16_t>(2), row, whole), Error);
  EXPECT_THROW(pack_blocks(block(), std::vector<uint16_t>(1), row, three), Error);
  for (int level = -128; level <= 127; ++level) {
    row[3] = static_cast<int8_t>(level);
    if (!block().levels.has(level)) {
      EXPECT_THROW(packed(1, row), Error) << level;
    }
  }
}

TEST_P(Blocks, ScalesThatCannotBeKept) {
  for (const float d : {INFINITY, -INFINITY, NAN, 1.0f + 0x1p-20f, 0x1p-149f, 3e38f})
    EXPECT_FALSE(block().scale_bits(d)) << d;
  if (block().scale_format == ScaleFormat::kE8M0) {
    for (const float d : {0.0f, -0.0f, -1.0f, 1.5f, 0x1p-129f, 0x1p127f}) EXPECT_FALSE(block().scale_bits(d)) << d;
  } else {
    for (const float d : {65520.0f, 0x1p-25f}) EXPECT_FALSE(block().scale_bits(d)) << d;
  }
}

TEST_P(Blocks, GoldenBytes) {
  const std::string prefix = std::string("pack.") + block().name + ".";
  const auto bytes = golden<std::byte>(prefix + "packed");
  std::vector<std::byte> ours(bytes.size());
  pack_blocks(block(), golden<uint16_t>(prefix + "scale_bits"), golden<int8_t>(prefix + "levels"), ours);
  EXPECT_EQ(ours, bytes);
  expect_same_bits(unpacked(block(), bytes), golden<float>(prefix + "value"));
}

TEST_P(Blocks, ScalesAndLevelsOfGoldenBytes) {
  const std::string prefix = std::string("pack.") + block().name + ".";
  const auto bits = golden<uint16_t>(prefix + "scale_bits");
  const auto expected = golden<int8_t>(prefix + "levels");
  std::vector<float> scales(bits.size());
  std::vector<int8_t> levels(expected.size());
  unpack_levels(block(), golden<std::byte>(prefix + "packed"), scales, levels);
  EXPECT_EQ(levels, expected);
  for (size_t i = 0; i < bits.size(); ++i) EXPECT_EQ(block().scale_bits(scales[i]), bits[i]);
  EXPECT_THROW(unpack_levels(block(), golden<std::byte>(prefix + "packed"), std::span(scales).subspan(1), levels),
               Error);
}

INSTANTIATE_TEST_SUITE_P(All, Blocks, testing::ValuesIn(level_blocks().begin(), level_blocks().end()), name_of);

class ReadableBlocks : public testing::TestWithParam<const GgmlBlock*> {};

TEST_P(ReadableBlocks, GoldenValuesOfAnyBytes) {
  const std::string prefix = std::string("read.") + GetParam()->name + ".";
  expect_same_bits(unpacked(*GetParam(), golden<std::byte>(prefix + "packed")), golden<float>(prefix + "value"));
}

TEST_P(ReadableBlocks, RefusesSizesThatDoNotFit) {
  const GgmlBlock& block = *GetParam();
  const std::vector<std::byte> bytes(block.bytes), short_bytes(block.bytes - 1), none;
  std::vector<float> values(block.elements), more(block.elements + 1);
  EXPECT_THROW(unpack_blocks(block, bytes, more), Error);
  EXPECT_THROW(unpack_blocks(block, short_bytes, values), Error);
  EXPECT_THROW(unpack_blocks(block, none, values), Error);
  EXPECT_NO_THROW(unpack_blocks(block, none, {}));
}

INSTANTIATE_TEST_SUITE_P(All, ReadableBlocks, testing::ValuesIn(ggml_blocks().begin(), ggml_blocks().end()),
                         name_of_any);

TEST(GgmlBlocks, GoldenCasesHaveNoTypeWeDoNotKnow) {
  const io::SafetensorsReader file(DETENT_SOURCE_DIR "/tests/golden/blocks.safetensors");
  const auto cases = parse_json(file.metadata().at("cases"), "blocks.safetensors");
  EXPECT_EQ(cases.size(), level_blocks().size() + ggml_blocks().size());
  for (const auto& one : cases) EXPECT_TRUE(find_ggml_block(one.at("type").get<std::string>())) << one.at("id");
}

TEST(GgmlBlocks, SizesAreThoseOfTheFileFormat) {
  for (const GgmlBlock* block : ggml_blocks()) {
    const io::GgmlType* type = io::find_ggml_type(block->name);
    ASSERT_TRUE(type) << block->name;
    EXPECT_EQ(type->block_elements, block->elements);
    EXPECT_EQ(type->block_bytes, block->bytes);
    EXPECT_EQ(find_ggml_block(block->name), block);
  }
  EXPECT_EQ(find_ggml_block("Q9_9"), nullptr);
  EXPECT_EQ(find_level_block("Q4_K"), nullptr);
}

}  // namespace
}  // namespace detent
