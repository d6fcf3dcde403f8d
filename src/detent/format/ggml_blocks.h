// ggml's block types: a few elements of one row share a scale and are packed together. One row of a table each.
// Layouts: ggml-common.h and the dequantize_row functions of ggml-quants.c (ggml-org/ggml).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace detent {

// value = d * level in float32 arithmetic, with one fp16 d a block and an integer level in [low, high]. So a zero level
// under a negative d is -0.
struct GgmlBlock {
  const char* name;  // "Q4_0"; its id is in io/ggml_types.h
  int elements, bytes;
  int low, high;
  void (*pack)(uint16_t d, const int8_t* levels, uint8_t* block);
  void (*unpack)(const uint8_t* block, float* values);
};

std::span<const GgmlBlock> ggml_blocks();
const GgmlBlock* find_ggml_block(std::string_view name);  // null when unknown

// Packs blocks of levels, one d (fp16 bits) each. Fails on a level that the type does not have, or on sizes that do not
// belong together.
void pack_blocks(const GgmlBlock& block, std::span<const uint16_t> d, std::span<const int8_t> levels,
                 std::span<std::byte> packed);
// The values of packed blocks; any bytes have some. Fails on sizes that do not belong together.
void unpack_blocks(const GgmlBlock& block, std::span<const std::byte> packed, std::span<float> values);

}  // namespace detent
