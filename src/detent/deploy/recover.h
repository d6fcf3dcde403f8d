// Finding the scale and the integer levels of values that already lie on a grid: what a dense file lost.
#pragma once
#include <cstdint>
#include <optional>
#include <span>

namespace detent {

struct LevelRange {
  int low, high;
  bool odd = false;       // odd levels only: a grid without a zero, in units of half its scale
  bool any_zero = false;  // a zero of the wrong sign counts as zero: what PyTorch's round leaves
};

// A d with values[i] == d * levels[i] bit for bit (but see any_zero), levels in range; nothing when there is none. A d
// of either sign is found. half: d must be an fp16 number. levels may be empty when only the answer matters.
std::optional<float> recover_scale(std::span<const float> values, const LevelRange& range, bool half,
                                   std::span<int8_t> levels = {});

}  // namespace detent
