// What the tables of ggml's block types share. Not for use outside of them.
#pragma once
#include <cstring>

#include "detent/format/ggml_blocks.h"
#include "detent/format/half.h"

namespace detent {

std::span<const LevelBlock> half_scale_blocks();  // an fp16 scale and integer levels
LevelBlock mxfp4_block();                         // a power of two and levels of E2M1
std::span<const GgmlBlock> nvfp4_blocks();
std::span<const GgmlBlock> offset_blocks();  // d * q + m
std::span<const GgmlBlock> k_blocks();       // two-level scales

inline float half_at(const uint8_t* bytes) {
  uint16_t bits;
  std::memcpy(&bits, bytes, sizeof bits);
  return half_bits_to_float(bits);
}

// Element j of 32 in nibbles: the low ones hold the first half, the high ones the second.
inline int nibble(const uint8_t* qs, int j) { return (qs[j % 16] >> (j / 16 * 4)) & 15; }

// Bit j of a string of bits.
inline int bit(const uint8_t* bits, int j) { return (bits[j / 8] >> (j % 8)) & 1; }

// Element j of 256 in pairs of bits: 32 bytes hold 128 elements, whose quarters lie one above the other.
inline int plane_byte(int j) { return j / 128 * 32 + j % 32; }
inline int plane_shift(int j) { return j % 128 / 32 * 2; }
inline int plane_pair(const uint8_t* qs, int j) { return (qs[plane_byte(j)] >> plane_shift(j)) & 3; }

}  // namespace detent
