// Integers of a few bits in 32-bit words, and which grids they hold: the weights of compressed-tensors'
// `pack-quantized` format (vllm-project/compressed-tensors, compressors/pack_quantized).
#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "detent/format/grid.h"

namespace detent {

int64_t packed_words(int64_t count, int bits);  // ceil(count * bits / 32)

// A dense stream of value + 2^(bits-1), lowest bits first; a value may straddle two words. bits 1 to 8, values in
// [-2^(bits-1), 2^(bits-1) - 1]; words.size() must be packed_words(values.size(), bits).
void pack_ints(std::span<const int8_t> values, int bits, std::span<uint32_t> words);
void unpack_ints(std::span<const uint32_t> words, int bits, std::span<int8_t> values);

// How the format keeps a matrix's elements.
enum class PackedKind { kInts, kFp4 };  // kFp4: packed_fp4.h

// The fewest bits, from 2 on, whose integers less zero_point, times factor, are the grid's levels: factor 1, or 1/2 for
// grids of halves. A zero point of -1 moves the odd level above; without it such a grid takes a bit more. Nothing when
// 8 do not suffice.
struct PackedFit {
  int bits;
  float factor;
  int zero_point = 0;
};
std::optional<PackedFit> packed_fit(const Grid& grid, bool may_have_zero_point);

}  // namespace detent
