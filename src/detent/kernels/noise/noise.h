// Gaussian noise from Philox: element i of a stream is a pure function of (seed, tensor, step, i).
// Class: exact against the reference (same polynomials, same order), statistical against N(0, 1).
#pragma once
#include <cstdint>

#include "detent/base/philox.h"

namespace detent::kernels {

// out[k] = x[k] + sigma * z[first + k], z ~ N(0,1) by Box-Muller, |z| < 6.7. `first` may be any element index.
// In place allowed.
void add_gaussian(const float* x, float* out, int64_t n, float sigma, const RandomStream& stream, uint64_t first);

namespace reference {
void add_gaussian(const float* x, float* out, int64_t n, float sigma, const RandomStream& stream, uint64_t first);
}

}  // namespace detent::kernels
