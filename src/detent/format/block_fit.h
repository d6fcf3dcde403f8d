// Which quantizers a ggml block type holds bit for bit, when codes and scales are packed as they are.
#pragma once
#include <optional>
#include <string>

#include "detent/format/ggml_blocks.h"
#include "detent/format/spec.h"

namespace detent {

std::string block_levels_text(const LevelBlock& block);  // "the integers from -8 to 7"

// The block's d is factor times the scale, and its levels are the grid's divided by factor: 1 where the grid's levels
// are integers, 1/2 where they are halves (odd levels of the block). Nothing when a level has no place.
std::optional<float> block_factor(const LevelBlock& block, const Grid& grid);

// The uniform grid that has just the block's levels; nothing for blocks of 4-bit floats.
std::optional<Grid> grid_of(const LevelBlock& block);

// Why the block type cannot hold a matrix [rows, columns] on this grid; nothing when it can. columns 0: not known yet.
std::optional<std::string> block_refusal(const LevelBlock& block, const QuantSpec& spec, int64_t columns);

// The accepted spec that changes the least, nothing when no spec helps (rows that are not whole blocks).
std::optional<QuantSpec> nearest_block_spec(const LevelBlock& block, const QuantSpec& spec, int64_t columns);

}  // namespace detent
