// Fake quantization of rows of floats: statistics, values, codes, gradient masks and surrogate gradients.
// Class of every function here: exact (bit-equal to reference.cpp on every instruction set; no fused multiply-add).
// Threads belong to the caller: each call works on one contiguous run of elements and touches nothing else.
#pragma once
#include <cstdint>

#include "detent/format/grid.h"
#include "detent/format/scale.h"

namespace detent::kernels {

// A gradient passes where u_lo <= x/d <= u_hi (d the scale as stored). Every surrogate of the straight-through family
// is such an interval: STE (-inf, inf), clip, trust, LSQ's code range, SEQ's 0.99, binary's 1.
struct Surrogate {
  float u_lo, u_hi;
  // Learned scales: d(value)/d(scale) = level - residual * u inside the interval, level_lo / level_hi outside.
  float level_lo = 0, level_hi = 0;  // in units of the scale
  float residual = 1;                // 0 for the 1-bit rule, whose slope is sign(x) everywhere
  bool operator==(const Surrogate&) const = default;
};

// Any output may be null.
struct FakeQuantOut {
  float* value = nullptr;  // d * level
  int8_t* codes = nullptr;
  uint8_t* mask = nullptr;  // one bit an element, the lowest first: 1 where the gradient passes; mask_bytes(n) bytes
  bool stream = false;      // values go past the caches (kernels/stream.h)
};
inline int64_t mask_bytes(int64_t n) { return (n + 7) / 8; }  // bits beyond the last element are 0

// Statistics of x[0..n). Of a group that is not finite only that is said: the other fields are zero.
GroupStats group_stats(const float* x, int64_t n);

// Quantizes x[0..n) with one scale d (as stored, possibly negative). u = x/d; code = clamp(round(u)) with the grid's
// rounding; value = d * level(code). d == 0: u = 0. NaN in x or d, or both infinite: value NaN, code 0, mask 0.
// Infinite x saturates. In place (out.value == x) is allowed.
void quantize_group(const float* x, int64_t n, float scale, const Grid& grid, const Surrogate& surrogate,
                    const FakeQuantOut& out);

// d * level(code) for stored codes: bit-equal to what quantize_group wrote. A NaN scale gives NaN.
void dequantize_group(const int8_t* codes, int64_t n, float scale, const Grid& grid, float* value);

// Backward of a learned scale: dx = g inside the interval, else 0; returns sum over the group of
// g * d(value)/d(scale), in double over the fixed tree of 16 lanes. dx may be null or equal to g.
double learned_backward_group(const float* x, const float* g, int64_t n, float scale, const Grid& grid,
                              const Surrogate& surrogate, float* dx);

// dx = mask bit ? g : 0. A masked NaN gradient gives 0. In place allowed.
void apply_mask(const float* g, const uint8_t* mask, int64_t n, float* dx);

namespace reference {  // the definition: plain loops, no intrinsics
GroupStats group_stats(const float* x, int64_t n);
void quantize_group(const float* x, int64_t n, float scale, const Grid& grid, const Surrogate& surrogate,
                    const FakeQuantOut& out);
void dequantize_group(const int8_t* codes, int64_t n, float scale, const Grid& grid, float* value);
double learned_backward_group(const float* x, const float* g, int64_t n, float scale, const Grid& grid,
                              const Surrogate& surrogate, float* dx);
void apply_mask(const float* g, const uint8_t* mask, int64_t n, float* dx);
}  // namespace reference

}  // namespace detent::kernels
