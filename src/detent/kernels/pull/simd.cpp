// Quantize and pull with Highway.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/pull/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include <cstring>

#include "detent/kernels/fake_quant/grid-inl.h"
#include "detent/kernels/fake_quant/groups.h"
#include "detent/kernels/hadamard/hadamard.h"
#include "detent/kernels/optimizer/optimizer.h"
#include "detent/kernels/pull/pull.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
using reference::pull_quantized;
#else

template <Rounding kRounding>
HWY_INLINE void pull_vector(float* w, const float* row, const GridVectors& grid, FloatVec strength) {
  const FloatVec u = hn::Div(hn::LoadU(kF, row), grid.scale), x = hn::LoadU(kF, w);
  const FloatVec value = grid.value<kRounding>(u, grid.nearest_code<kRounding>(u));
  hn::StoreU(hn::Sub(x, hn::Mul(strength, hn::Sub(x, value))), kF, w);
}

template <Rounding kRounding>
void pull_groups(float* w, const float* row, int64_t n, int64_t group, const float* scales, const Grid& grid,
                 float strength, float* scratch) {
  GridVectors vectors(grid, 1);
  const FloatVec by = hn::Set(kF, strength);
  for (int64_t i = 0; i < n; i += group) {
    const float scale = scales[i / group];
    const int64_t end = i + group;
    vectors.scale = hn::Set(kF, scale);
    if (scale == 0) {  // rare: an all-zero group
      reference::pull_quantized(w + i, row + i, group, group, 1, &scale, grid, strength, scratch);
      continue;
    }
    int64_t at = i;
    for (; at + kFloats <= end; at += kFloats) pull_vector<kRounding>(w + at, row + at, vectors, by);
    if (at == end) continue;
    PaddedLanes last(w + at, end - at);
    pull_vector<kRounding>(last.values, PaddedLanes(row + at, end - at).values, vectors, by);
    std::memcpy(w + at, last.values, static_cast<size_t>(end - at) * sizeof(float));
  }
}

// With a rotation between quantizing and pulling, one pass over blocks in registers measures no better than three.
void pull_quantized(float* w, const float* row, int64_t n, int64_t group, int64_t block, const float* scales,
                    const Grid& grid, float strength, float* scratch) {
  if (block > 1) {
    quantize_groups(row, n, group, scales, grid, {}, {.value = scratch});
    hadamard(scratch, scratch, n, block);
    return pull_row(w, scratch, strength, n);
  }
  switch (rounding_of(grid)) {
    case Rounding::kDown:
      return pull_groups<Rounding::kDown>(w, row, n, group, scales, grid, strength, scratch);
    case Rounding::kE2M1:
      return pull_groups<Rounding::kE2M1>(w, row, n, group, scales, grid, strength, scratch);
    default:
      return pull_groups<Rounding::kNearest>(w, row, n, group, scales, grid, strength, scratch);
  }
}

#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(pull_quantized);

void pull_quantized(float* w, const float* row, int64_t n, int64_t group, int64_t block, const float* scales,
                    const Grid& grid, float strength, float* scratch) {
  HWY_DYNAMIC_DISPATCH(pull_quantized)(w, row, n, group, block, scales, grid, strength, scratch);
}
}  // namespace detent::kernels
#endif
