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

// The fewest bits, from 2 on, whose integers times factor are the grid's levels: factor 1, or 1/2 for grids of halves.
// Nothing when 8 do not suffice.
struct PackedFit {
  int bits;
  float factor;
};
std::optional<PackedFit> packed_fit(const Grid& grid);

}  // namespace detent
