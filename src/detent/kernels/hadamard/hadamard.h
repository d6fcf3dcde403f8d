// Block Hadamard rotation of rows, Sylvester order, normalised by 1/sqrt(block): its own inverse up to rounding.
// Class: exact (the butterflies run in the reference's order: distance 1, 2, 4, ...; then one multiplication).
#pragma once
#include <cstdint>

namespace detent::kernels {

// Rotates every run of `block` (a power of two, 1 to 128) consecutive elements of in[0..n); n is a multiple of block.
// In place allowed.
void hadamard(const float* in, float* out, int64_t n, int64_t block);
// The same past the caches (kernels/stream.h); in and out do not overlap.
void hadamard_streamed(const float* in, float* out, int64_t n, int64_t block);

namespace reference {
void hadamard(const float* in, float* out, int64_t n, int64_t block);
}

}  // namespace detent::kernels
