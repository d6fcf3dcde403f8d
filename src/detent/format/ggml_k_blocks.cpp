// Block types with two-level scales: 256 elements share fp16 super-scales, 16 or 32 of them a small integer scale.
#include "detent/format/ggml_block_parts.h"
#include "detent/format/two_level.h"

namespace detent {

namespace {

void unpack_q2_k(const uint8_t* block, float* values) {
  const uint8_t *scales = block, *qs = block + 16;
  const float d = half_at(block + 80), min = half_at(block + 82);
  for (int j = 0; j < kSuperBlock; ++j) {
    const uint8_t s = scales[j / 16];
    const float step = d * static_cast<float>(s & 15), offset = min * static_cast<float>(s >> 4);
    values[j] = step * static_cast<float>(plane_pair(qs, j)) - offset;
  }
}

// Sixteen 6-bit scales in 12 bytes: two nibbles in each of the first eight, four pairs of high bits in each of the
// rest.
int q3_k_scale(const uint8_t* scales, int i) {
  const int low = (scales[i % 8] >> (i / 8 * 4)) & 15, high = (scales[8 + i % 4] >> (i / 4 * 2)) & 3;
  return (low | high << 4) - 32;
}

// The third bit lies in a mask of its own; where it is clear, 4 is taken off.
void unpack_q3_k(const uint8_t* block, float* values) {
  const uint8_t *mask = block, *qs = block + 32, *scales = block + 96;
  const float d = half_at(block + 108);
  for (int j = 0; j < kSuperBlock; ++j) {
    const int high = (mask[j % 32] >> (j / 32)) & 1;
    const float step = d * static_cast<float>(q3_k_scale(scales, j / 16));
    values[j] = step * static_cast<float>(plane_pair(qs, j) - (high == 1 ? 0 : 4));
  }
}

// Eight pairs of a 6-bit scale and a 6-bit minimum in 12 bytes: the first four pairs lie in the low bits of eight
// bytes, the others in four bytes of nibbles and in the bits left over.
struct ScaleAndMin {
  int scale, min;
};
ScaleAndMin scale_and_min(const uint8_t* b, int i) {
  if (i < 4) return {b[i] & 63, b[i + 4] & 63};
  return {(b[i + 4] & 15) | b[i - 4] >> 6 << 4, b[i + 4] >> 4 | b[i] >> 6 << 4};
}

// Q4_K and Q5_K: 64 elements in 32 bytes of nibbles, 32 elements a scale.
int long_nibble(const uint8_t* qs, int j) { return (qs[j / 64 * 32 + j % 32] >> (j % 64 / 32 * 4)) & 15; }

template <class Code>
void unpack_with_minimum(const uint8_t* block, float* values, Code code) {
  const float d = half_at(block), min = half_at(block + 2);
  for (int j = 0; j < kSuperBlock; ++j) {
    const ScaleAndMin s = scale_and_min(block + 4, j / 32);
    const float step = d * static_cast<float>(s.scale), offset = min * static_cast<float>(s.min);
    values[j] = step * static_cast<float>(code(j)) - offset;
  }
}

void unpack_q4_k(const uint8_t* block, float* values) {
  unpack_with_minimum(block, values, [qs = block + 16](int j) { return long_nibble(qs, j); });
}

void unpack_q5_k(const uint8_t* block, float* values) {
  unpack_with_minimum(block, values, [high = block + 16, qs = block + 48](int j) {
    return long_nibble(qs, j) | ((high[j % 32] >> (j / 32)) & 1) << 4;
  });
}

// 128 elements in 64 bytes of nibbles and 32 bytes of pairs.
void unpack_q6_k(const uint8_t* block, float* values) {
  const uint8_t *low = block, *high = block + 128, *scales = block + 192;
  const float d = half_at(block + 208);
  for (int j = 0; j < kSuperBlock; ++j) {
    const int nibbles = low[j / 128 * 64 + j % 64] >> (j % 128 / 64 * 4) & 15;
    const float step = d * static_cast<float>(static_cast<int8_t>(scales[j / 16]));
    values[j] = step * static_cast<float>((nibbles | plane_pair(high, j) << 4) - 32);
  }
}

constexpr GgmlBlock kKBlocks[] = {{"Q2_K", kSuperBlock, 84, unpack_q2_k},
                                  {"Q3_K", kSuperBlock, 110, unpack_q3_k},
                                  {"Q4_K", kSuperBlock, 144, unpack_q4_k},
                                  {"Q5_K", kSuperBlock, 176, unpack_q5_k},
                                  {"Q6_K", kSuperBlock, 210, unpack_q6_k}};

}  // namespace

std::span<const GgmlBlock> k_blocks() { return kKBlocks; }

}  // namespace detent
