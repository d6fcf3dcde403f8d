// Which quantizers a ggml block type of two-level scales holds bit for bit. Value = scale * level; the block has
// (d k) q - (dmin k): with d = factor * D, scale = D k and dmin = -low * d that is d k (q + low).
#pragma once
#include <optional>
#include <string>

#include "detent/format/ggml_blocks.h"
#include "detent/format/spec.h"

namespace detent {

struct KFit {
  float factor, low;  // level = factor * (q + low), q from 0 to block.high
};
std::optional<KFit> k_fit(const KBlock& block, const Grid& grid);

std::string block_levels_text(const KBlock& block);
// As block_fit.h has them for the simpler types.
std::optional<std::string> block_refusal(const KBlock& block, const QuantSpec& spec, int64_t columns);
std::optional<QuantSpec> nearest_block_spec(const KBlock& block, const QuantSpec& spec, int64_t columns);

// Whether D, times the fit's factor and lowest level, gives super-scales that a block keeps.
bool keeps_super_scale(const KBlock& block, const KFit& fit, float d);

}  // namespace detent
