// ggml's block types: a few elements of one row share scales and are packed together. One row of a table each.
// Layouts and order of arithmetic: ggml-common.h and the dequantize_row functions of ggml-quants.c (ggml-org/ggml).
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include "detent/format/scale.h"

namespace detent {

struct GgmlBlock {
  const char* name;  // "Q4_0"; its id is in io/ggml_types.h
  int elements, bytes;
  void (*unpack)(const uint8_t* block, float* values);
};

// The integers that levels may be.
struct LevelSet {
  enum Kind { kAll, kOdd, kTwiceE2M1 };  // kTwiceE2M1: magnitudes 0 1 2 3 4 6 8 12
  int low, high;
  Kind kind = kAll;

  bool has(int level) const;
};

// A type with value = d * level in float32 arithmetic, one d a block and an integer level. So a zero level under a
// negative d is -0.
struct LevelBlock : GgmlBlock {
  LevelSet levels;
  ScaleFormat scale_format;                        // whose numbers the type keeps
  std::optional<uint16_t> (*scale_bits)(float d);  // how it keeps d; nothing when it cannot
  void (*pack)(uint16_t scale, const int8_t* levels, uint8_t* block);
};

std::span<const LevelBlock> level_blocks();
const LevelBlock* find_level_block(std::string_view name);  // null when unknown, or not of this kind
std::span<const GgmlBlock* const> ggml_blocks();            // all that can be read
const GgmlBlock* find_ggml_block(std::string_view name);    // null when unknown

// Packs blocks of levels, one scale (its bits) each. Fails on a level that the type does not have, or on sizes that do
// not belong together.
void pack_blocks(const LevelBlock& block, std::span<const uint16_t> scales, std::span<const int8_t> levels,
                 std::span<std::byte> packed);
// The values of packed blocks; any bytes have some. Fails on sizes that do not belong together.
void unpack_blocks(const GgmlBlock& block, std::span<const std::byte> packed, std::span<float> values);

}  // namespace detent
