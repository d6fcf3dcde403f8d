// The grid that plain values lie on, found from the values alone.
#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "detent/format/spec.h"

namespace detent {

struct DetectedGrid {
  Grid grid;                            // the one with the fewest levels
  Granularity granularity;              // the coarsest: row, 256, 128, 64 or 32
  double exact_fraction;                // of the groups that lie on it, bit for bit but for signs of zeros
  ScaleFormat scale_format;             // fp32 unless every scale is known to fit a narrower one
  std::optional<ScaleRule> scale_rule;  // one that gives back every value when quantizing again
  bool mixed_zeros;                     // some group has zeros of both signs, which codes times a scale cannot give
};

// Nothing when under half of the groups lie on any grid of 2 to 8 bits. Groups of zeros lie on all.
std::optional<DetectedGrid> detect_grid(const at::Tensor& matrix);

}  // namespace detent
