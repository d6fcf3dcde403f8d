// Finding the scale and the integer levels of values that already lie on a grid: what a dense file lost.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "detent/format/ggml_blocks.h"

namespace detent {

struct GridSearch {
  LevelSet levels;
  // Whether a d may be stored; null: any float32. A product of one that may with a level is exact.
  std::function<bool(float d)> is_scale;
  bool any_zero = false;  // a zero of the wrong sign counts as zero: what PyTorch's round leaves
};
bool is_half(float d);          // an fp16 number
bool is_power_of_two(float d);  // positive

// A d with values[i] == d * levels[i] bit for bit (but see any_zero), levels in the set; nothing when there is none. A
// d of either sign is found. levels may be empty when only the answer matters.
std::optional<float> recover_scale(std::span<const float> values, const GridSearch& search,
                                   std::span<int8_t> levels = {});

// All of them: a group of even levels also lies on twice its d, one without zeros or the odd level on -d.
std::vector<float> possible_scales(std::span<const float> values, const GridSearch& search);

}  // namespace detent
