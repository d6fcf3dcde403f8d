// Rotary position embedding (arXiv 2104.09864) of all heads of one position, halves of a head against each other.
// Class: exact.
#pragma once
#include <cstdint>

namespace detent::kernels {

// x [heads, size] -> out: with left and right the halves of a head and s = sign * sin,
//   left' = left * cos - right * s, right' = right * cos + left * s; cos and sin hold size / 2 values.
// sign 1 rotates, -1 rotates back, which is the gradient. out must not overlap x.
void rope_heads(const float* x, const float* cos, const float* sin, int64_t heads, int64_t size, float sign,
                float* out);

namespace reference {
void rope_heads(const float* x, const float* cos, const float* sin, int64_t heads, int64_t size, float sign,
                float* out);
}

}  // namespace detent::kernels
