// Every code of every block type under extreme scales, and the golden bytes of tests/golden/blocks.safetensors.
#include "detent/format/ggml_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
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

// fp16 bits: 1, smallest and largest subnormals, smallest normal, largest, zeros and the negative ones.
constexpr uint16_t kScales[] = {0x3C00, 0x1A3D, 0x0001, 0x03FF, 0x0400, 0x7BFF, 0x0000,
                                0xBC00, 0x9A3D, 0x8001, 0x83FF, 0x8400, 0xFBFF, 0x8000};

class Blocks : public testing::TestWithParam<GgmlBlock> {
 protected:
  const GgmlBlock& block() const { return GetParam(); }
  std::vector<std::byte> packed(uint16_t d, const std::vector<int8_t>& levels) const {
    std::vector<std::byte> bytes(levels.size() / block().elements * block().bytes);
    pack_blocks(block(), std::vector<uint16_t>(levels.size() / block().elements, d), levels, bytes);
    return bytes;
  }
  std::vector<float> unpacked(const std::vector<std::byte>& bytes) const {
    std::vector<float> values(bytes.size() / block().bytes * block().elements);
    unpack_blocks(block(), bytes, values);
    return values;
  }
};

// Every level at every position of a block: blocks of one level, shifted through.
TEST_P(Blocks, EveryCodeAtEveryPositionUnderEveryScale) {
  for (const uint16_t d : kScales)
    for (int level = block().low; level <= block().high; ++level)
      for (int position = 0; position < block().elements; ++position) {
        std::vector<int8_t> levels(block().elements, static_cast<int8_t>(block().high + block().low - level));
        levels[position] = static_cast<int8_t>(level);
        const std::vector<float> values = unpacked(packed(d, levels));
        for (int j = 0; j < block().elements; ++j) {
          const float expected = half_bits_to_float(d) * static_cast<float>(levels[j]);
          ASSERT_EQ(std::bit_cast<uint32_t>(values[j]), std::bit_cast<uint32_t>(expected))
              << block().name << " d " << d << " level " << int{levels[j]} << " at " << j;
        }
      }
}

TEST_P(Blocks, RandomRowsRoundTrip) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> level(block().low, block().high);
  std::vector<int8_t> levels(block().elements * 5);
  for (int8_t& l : levels) l = static_cast<int8_t>(level(random));
  const std::vector<float> values = unpacked(packed(0x3C00, levels));
  for (size_t i = 0; i < levels.size(); ++i) EXPECT_EQ(values[i], levels[i]);
}

TEST_P(Blocks, RefusesLevelsAndSizesThatDoNotFit) {
  std::vector<int8_t> levels(block().elements, 0);
  std::vector<std::byte> whole(block().bytes), three(3);
  EXPECT_THROW(pack_blocks(block(), std::vector<uint16_t>(2), levels, whole), Error);
  EXPECT_THROW(pack_blocks(block(), std::vector<uint16_t>(1), levels, three), Error);
  std::vector<float> values(block().elements + 1);
  EXPECT_THROW(unpack_blocks(block(), whole, values), Error);
  if (block().high == 127) return;  // every int8 is a level
  levels[3] = static_cast<int8_t>(block().high + 1);
  EXPECT_THROW(packed(0x3C00, levels), Error);
}

TEST_P(Blocks, GoldenBytes) {
  const io::SafetensorsReader golden(DETENT_SOURCE_DIR "/tests/golden/blocks.safetensors");
  const auto part = [&](const char* key) { return golden.at(std::string(block().name) + "." + key).bytes; };
  const auto copy = [&](auto& out, const char* key) {
    out.resize(part(key).size() / sizeof(out[0]));
    std::memcpy(out.data(), part(key).data(), part(key).size());
  };
  std::vector<uint16_t> scales;
  std::vector<int8_t> levels;
  std::vector<float> values;
  std::vector<std::byte> bytes;
  copy(scales, "scale_bits");
  copy(levels, "codes");
  copy(values, "value");
  copy(bytes, "packed");
  std::vector<std::byte> ours(bytes.size());
  pack_blocks(block(), scales, levels, ours);
  EXPECT_EQ(ours, bytes);
  const std::vector<float> decoded = unpacked(bytes);
  ASSERT_EQ(decoded.size(), values.size());
  EXPECT_EQ(std::memcmp(decoded.data(), values.data(), values.size() * sizeof(float)), 0);
}

INSTANTIATE_TEST_SUITE_P(All, Blocks, testing::ValuesIn(ggml_blocks().begin(), ggml_blocks().end()),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(GgmlBlocks, GoldenCasesHaveNoTypeWeDoNotKnow) {
  const io::SafetensorsReader golden(DETENT_SOURCE_DIR "/tests/golden/blocks.safetensors");
  const auto cases = parse_json(golden.metadata().at("cases"), "blocks.safetensors");
  EXPECT_FALSE(cases.empty());
  for (const auto& one : cases) EXPECT_TRUE(find_ggml_block(one.at("id").get<std::string>())) << one.at("id");
}

TEST(GgmlBlocks, SizesAreThoseOfTheFileFormat) {
  for (const GgmlBlock& block : ggml_blocks()) {
    const io::GgmlType* type = io::find_ggml_type(block.name);
    ASSERT_TRUE(type) << block.name;
    EXPECT_EQ(type->block_elements, block.elements);
    EXPECT_EQ(type->block_bytes, block.bytes);
  }
  EXPECT_EQ(find_ggml_block("Q9_9"), nullptr);
}

}  // namespace
}  // namespace detent
