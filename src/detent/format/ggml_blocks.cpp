#include "detent/format/ggml_blocks.h"

#include <algorithm>
#include <vector>

#include "detent/base/error.h"
#include "detent/format/ggml_block_parts.h"

namespace detent {

namespace {

void check_sizes(const GgmlBlock& block, size_t elements, size_t bytes) {
  const size_t count = elements / static_cast<size_t>(block.elements);
  if (elements % static_cast<size_t>(block.elements) != 0 || bytes != count * static_cast<size_t>(block.bytes))
    fail("[{}] {} elements do not fill {} bytes: a block is {} elements in {} bytes", block.name, elements, bytes,
         block.elements, block.bytes);
}

void check_scales(const GgmlBlock& block, size_t scales, size_t elements) {
  if (scales * static_cast<size_t>(block.elements) != elements)
    fail("[{}] got {} scales for {} elements, expected one for {}", block.name, scales, elements, block.elements);
}

}  // namespace

bool LevelSet::has(int level) const {
  if (level < low || level > high) return false;
  const int magnitude = level < 0 ? -level : level;
  if (kind == kOdd) return magnitude % 2 == 1;
  return kind == kAll || magnitude <= 4 || magnitude == 6 || magnitude == 8 || magnitude == 12;
}

std::span<const LevelBlock> level_blocks() {
  static const std::vector<LevelBlock> all = [] {
    std::vector<LevelBlock> blocks(half_scale_blocks().begin(), half_scale_blocks().end());
    blocks.push_back(mxfp4_block());
    return blocks;
  }();
  return all;
}

std::span<const GgmlBlock* const> ggml_blocks() {
  static const std::vector<const GgmlBlock*> all = [] {
    std::vector<const GgmlBlock*> blocks;
    for (const LevelBlock& block : level_blocks()) blocks.push_back(&block);
    for (const auto& table : {offset_blocks(), nvfp4_blocks(), k_blocks()})
      for (const GgmlBlock& block : table) blocks.push_back(&block);
    return blocks;
  }();
  return all;
}

const GgmlBlock* find_ggml_block(std::string_view name) {
  for (const GgmlBlock* block : ggml_blocks())
    if (name == block->name) return block;
  return nullptr;
}

const LevelBlock* find_level_block(std::string_view name) {
  for (const LevelBlock& block : level_blocks())
    if (name == block.name) return &block;
  return nullptr;
}

void pack_blocks(const LevelBlock& block, std::span<const uint16_t> scales, std::span<const int8_t> levels,
                 std::span<std::byte> packed) {
  check_sizes(block, levels.size(), packed.size());
  check_scales(block, scales.size(), levels.size());
  for (const int8_t level : levels)
    if (!block.levels.has(level))
      fail("[{}] level {} does not exist; levels are from {} to {}", block.name, level, block.levels.low,
           block.levels.high);
  auto* out = reinterpret_cast<uint8_t*>(packed.data());
  for (size_t i = 0; i < scales.size(); ++i) block.pack(scales[i], &levels[i * block.elements], out + i * block.bytes);
}

void unpack_levels(const LevelBlock& block, std::span<const std::byte> packed, std::span<float> scales,
                   std::span<int8_t> levels) {
  check_sizes(block, levels.size(), packed.size());
  check_scales(block, scales.size(), levels.size());
  const auto* in = reinterpret_cast<const uint8_t*>(packed.data());
  for (size_t i = 0; i < scales.size(); ++i)
    scales[i] = block.unpack_levels(in + i * block.bytes, &levels[i * block.elements]);
}

void unpack_blocks(const GgmlBlock& block, std::span<const std::byte> packed, std::span<float> values) {
  check_sizes(block, values.size(), packed.size());
  const auto* in = reinterpret_cast<const uint8_t*>(packed.data());
  const size_t count = values.size() / static_cast<size_t>(block.elements);
  for (size_t i = 0; i < count; ++i) block.unpack(in + i * block.bytes, &values[i * block.elements]);
}

}  // namespace detent
