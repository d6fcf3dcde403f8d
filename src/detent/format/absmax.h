// The part of the absmax rules that fast kernels share with scale.cpp.
#pragma once
#include "detent/format/scale.h"

namespace detent {

// What kAbsmax and kAbsmaxFull divide max|x| by on a uniform grid, and kAbsmaxSigned the extreme value.
inline float absmax_divisor(const Grid& grid, ScaleRule rule) {
  if (rule == ScaleRule::kAbsmax) return grid.symmetric_top();
  if (rule == ScaleRule::kAbsmaxFull) return static_cast<float>(grid.level_count() - 1) / 2;
  return static_cast<float>(grid.kind == GridKind::kInt ? grid.lo() : grid.hi());
}

}  // namespace detent
