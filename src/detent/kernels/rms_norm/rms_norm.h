// RMSNorm (arXiv 1910.07467) of one row and its gradients, each in one walk over the row in cache. Class: exact.
#pragma once
#include <cstdint>

namespace detent::kernels {

// out[i] = x[i] * inverse * weight[i], inverse = 1 / sqrt(mean(x^2) + epsilon); the mean over the fixed tree of 16
// lanes in double, the inverse rounded to float and returned. In place allowed.
float rms_norm_row(const float* x, const float* weight, int64_t n, double epsilon, float* out);

// With g = d(loss)/d(out) and s = sum(g * weight * x):
//   dx[i] = inverse * (g[i] * weight[i]) - x[i] * (inverse^3 * s / n); dweight[i] += g[i] * (x[i] * inverse).
// dx must not overlap x or g.
void rms_norm_backward_row(const float* x, const float* weight, float inverse, const float* g, int64_t n, float* dx,
                           float* dweight);

namespace reference {
float rms_norm_row(const float* x, const float* weight, int64_t n, double epsilon, float* out);
void rms_norm_backward_row(const float* x, const float* weight, float inverse, const float* g, int64_t n, float* dx,
                           float* dweight);
}  // namespace reference

}  // namespace detent::kernels
