// SwiGLU (arXiv 2002.05202): silu(gate) * up, and both gradients, in one walk. Class: exact against the reference (same
// polynomial, same order); sigmoid() is within 4 ULP of 1 / (1 + exp(-x)).
#pragma once
#include <cstdint>

namespace detent::kernels {

// out = gate * sigmoid(gate) * up. out may be gate or up.
void swiglu(const float* gate, const float* up, int64_t n, float* out);

// With s = sigmoid(gate): dgate = g * up * (s * (1 + gate * (1 - s))), dup = g * (gate * s). Outputs may be inputs of
// the same index.
void swiglu_backward(const float* gate, const float* up, const float* g, int64_t n, float* dgate, float* dup);

namespace reference {
void swiglu(const float* gate, const float* up, int64_t n, float* out);
void swiglu_backward(const float* gate, const float* up, const float* g, int64_t n, float* dgate, float* dup);
}  // namespace reference

}  // namespace detent::kernels
