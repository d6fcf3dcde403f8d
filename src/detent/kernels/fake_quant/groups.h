// Neighbouring groups of one row in one call: their scales, their quantization. A call a group costs more than the work
// on 32 elements. Class: exact, as fake_quant.h.
#pragma once
#include "detent/kernels/fake_quant/fake_quant.h"

namespace detent::kernels {

// scales[g] = scale_from_stats(group_stats(x + g * group, group), group, grid, rule), in float32, for the n / group
// groups of x[0..n). Only what the rule reads is gathered. Not for kLearned.
void group_scales(const float* x, int64_t n, int64_t group, const Grid& grid, ScaleRule rule, float* scales);

// quantize_group for each group with its scale; outputs lie side by side as x does. With a mask, groups begin at whole
// bytes: group is a multiple of 8, or there is but one.
void quantize_groups(const float* x, int64_t n, int64_t group, const float* scales, const Grid& grid,
                     const Surrogate& surrogate, const FakeQuantOut& out);

namespace reference {
void group_scales(const float* x, int64_t n, int64_t group, const Grid& grid, ScaleRule rule, float* scales);
void quantize_groups(const float* x, int64_t n, int64_t group, const float* scales, const Grid& grid,
                     const Surrogate& surrogate, const FakeQuantOut& out);
}  // namespace reference

}  // namespace detent::kernels
