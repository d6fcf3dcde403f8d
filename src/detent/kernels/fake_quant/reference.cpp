// The definition of fake quantization, one element at a time.
#include <algorithm>
#include <cmath>
#include <limits>

#include "detent/kernels/fake_quant/fake_quant.h"
#include "detent/kernels/fake_quant/groups.h"
#include "detent/kernels/lane_sum.h"

namespace detent::kernels::reference {

namespace {
// x in units of the scale; NaN if x or the scale is, or both are infinite.
float in_units(float x, float scale) { return scale == 0 && !std::isnan(x) ? 0.0f : x / scale; }

// Codes 0 to 4 are half a scale apart, 4 to 6 one and 6 to 7 two. Ties go to the even code, whose float has an even
// mantissa.
float nearest_e2m1(float u) {
  const float magnitude = std::fabs(u);
  const float code = magnitude < 2   ? std::nearbyint(2 * magnitude)
                     : magnitude < 4 ? std::nearbyint(magnitude) + 2
                                     : std::nearbyint(magnitude / 2) + 4;
  return std::copysign(std::min(code, 7.0f), u);
}

// Grids without a zero have a level above and one below every integer: floor finds the one above. For binary that is
// floor(u) clamped to [-1, 0], the sign.
float nearest_code(float u, const Grid& grid) {
  if (!grid.uniform()) return nearest_e2m1(u);
  const float rounded = grid.rounds_down() ? std::floor(u) : std::nearbyint(u);
  return std::clamp(rounded, static_cast<float>(grid.lo()), static_cast<float>(grid.hi()));
}

bool inside(float u, const Surrogate& surrogate) { return surrogate.u_lo <= u && u <= surrogate.u_hi; }
}  // namespace

GroupStats group_stats(const float* x, int64_t n) {
  GroupStats stats;
  LaneSum sum_abs, sum_squares;
  for (int64_t i = 0; i < n; ++i) {
    const float magnitude = std::fabs(x[i]);
    if (!std::isfinite(x[i])) return {.finite = false};
    if (magnitude > stats.absmax) {
      stats.absmax = magnitude;
      stats.extreme = x[i];
    }
    sum_abs.add(i, magnitude);
    sum_squares.add(i, double{x[i]} * x[i]);
  }
  stats.sum_abs = sum_abs.total();
  stats.sum_squares = sum_squares.total();
  return stats;
}

void quantize_group(const float* x, int64_t n, float scale, const Grid& grid, const Surrogate& surrogate,
                    const FakeQuantOut& out) {
  if (out.mask) std::fill_n(out.mask, mask_bytes(n), uint8_t{0});
  for (int64_t i = 0; i < n; ++i) {
    const float u = in_units(x[i], scale);
    const bool valid = !std::isnan(u);
    const int code = valid ? static_cast<int>(nearest_code(u, grid)) : 0;
    if (out.value) out.value[i] = valid ? scale * grid.level(code) : std::numeric_limits<float>::quiet_NaN();
    if (out.codes) out.codes[i] = static_cast<int8_t>(code);
    if (out.mask && inside(u, surrogate)) out.mask[i / 8] |= static_cast<uint8_t>(1 << i % 8);
  }
}

void group_scales(const float* x, int64_t n, int64_t group, const Grid& grid, ScaleRule rule, float* scales) {
  for (int64_t g = 0; g < n / group; ++g)
    scales[g] = scale_from_stats(reference::group_stats(x + g * group, group), static_cast<double>(group), grid, rule);
}

void quantize_groups(const float* x, int64_t n, int64_t group, const float* scales, const Grid& grid,
                     const Surrogate& surrogate, const FakeQuantOut& out) {
  for (int64_t i = 0; i < n; i += group)
    reference::quantize_group(x + i, group, scales[i / group], grid, surrogate,
                              {out.value ? out.value + i : nullptr, out.codes ? out.codes + i : nullptr,
                               out.mask ? out.mask + i / 8 : nullptr});
}

void dequantize_group(const int8_t* codes, int64_t n, float scale, const Grid& grid, float* value) {
  for (int64_t i = 0; i < n; ++i) value[i] = scale * grid.level(codes[i]);
}

double learned_backward_group(const float* x, const float* g, int64_t n, float scale, const Grid& grid,
                              const Surrogate& surrogate, float* dx) {
  LaneSum sum;
  for (int64_t i = 0; i < n; ++i) {
    const float u = in_units(x[i], scale);
    const float level = std::isnan(u) ? u : grid.level(static_cast<int>(nearest_code(u, grid)));
    float slope = level - surrogate.residual * u;  // NaN stays NaN
    if (u < surrogate.u_lo) slope = surrogate.level_lo;
    if (u > surrogate.u_hi) slope = surrogate.level_hi;
    sum.add(i, double{g[i]} * slope);
    if (dx) dx[i] = inside(u, surrogate) ? g[i] : 0.0f;
  }
  return sum.total();
}

void apply_mask(const float* g, const uint8_t* mask, int64_t n, float* dx) {
  for (int64_t i = 0; i < n; ++i) dx[i] = mask[i / 8] >> i % 8 & 1 ? g[i] : 0.0f;
}

}  // namespace detent::kernels::reference
