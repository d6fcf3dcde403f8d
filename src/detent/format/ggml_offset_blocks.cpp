// Block types with a scale and an offset: value = d * q + m.
#include "detent/format/ggml_block_parts.h"

namespace detent {

namespace {

void unpack_q4_1(const uint8_t* block, float* values) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int j = 0; j < 32; ++j) values[j] = static_cast<float>(nibble(block + 4, j)) * d + m;
}

void unpack_q5_1(const uint8_t* block, float* values) {
  const float d = half_at(block), m = half_at(block + 2);
  for (int j = 0; j < 32; ++j) values[j] = static_cast<float>(nibble(block + 8, j) | bit(block + 4, j) << 4) * d + m;
}

constexpr GgmlBlock kOffsetBlocks[] = {{"Q4_1", 32, 20, unpack_q4_1}, {"Q5_1", 32, 24, unpack_q5_1}};

}  // namespace

std::span<const GgmlBlock> offset_blocks() { return kOffsetBlocks; }

}  // namespace detent
