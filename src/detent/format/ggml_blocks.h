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
  float (*unpack_levels)(const uint8_t* block, int8_t* levels);  // d and levels whose products `unpack` gives
};

// What a block of two-level scales keeps beside its codes: super-scale and super-minimum as fp16 bits, and one integer
// k for each group, which is its minimum's integer too.
struct KScales {
  uint16_t d, min;
  std::span<const int> k;
};
// A type with value = (d k) q - (min k) or, with a lowest level of its own, (d k) (q + low), in float32 arithmetic.
struct KBlock : GgmlBlock {
  int group;                 // elements that share k
  ScaleFormat scale_format;  // of two levels: what d and k may be
  int high;                  // codes q are from 0 to high
  std::optional<float> low;
  void (*pack)(const KScales& scales, const uint8_t* codes, uint8_t* block);  // into bytes of zeros
};

std::span<const LevelBlock> level_blocks();
const LevelBlock* find_level_block(std::string_view name);  // null when unknown, or not of this kind
std::span<const KBlock> packed_k_blocks();
const KBlock* find_k_block(std::string_view name);        // null when unknown, or not of this kind
std::span<const GgmlBlock* const> ggml_blocks();          // all that can be read
const GgmlBlock* find_ggml_block(std::string_view name);  // null when unknown

// Packs blocks of levels, one scale (its bits) each. Fails on a level that the type does not have, or on sizes that do
// not belong together.
void pack_blocks(const LevelBlock& block, std::span<const uint16_t> scales, std::span<const int8_t> levels,
                 std::span<std::byte> packed);
// Packs one block of a type with two-level scales. Fails on codes, integers or sizes that it does not have.
void pack_k_block(const KBlock& block, const KScales& scales, std::span<const uint8_t> codes,
                  std::span<std::byte> packed);
// The scales and levels of packed blocks; any bytes have some, in TQ2_0 a level beyond its set. Fails like
// unpack_blocks.
void unpack_levels(const LevelBlock& block, std::span<const std::byte> packed, std::span<float> scales,
                   std::span<int8_t> levels);
// The values of packed blocks; any bytes have some. Fails on sizes that do not belong together.
void unpack_blocks(const GgmlBlock& block, std::span<const std::byte> packed, std::span<float> values);

}  // namespace detent
