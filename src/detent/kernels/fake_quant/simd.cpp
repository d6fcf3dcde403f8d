#include "detent/kernels/fake_quant/fake_quant.h"

namespace detent::kernels {

GroupStats group_stats(const float* x, int64_t n) { return reference::group_stats(x, n); }

void quantize_group(const float* x, int64_t n, float scale, const Grid& grid, const Surrogate& surrogate,
                    const FakeQuantOut& out) {
  reference::quantize_group(x, n, scale, grid, surrogate, out);
}

void dequantize_group(const int8_t* codes, int64_t n, float scale, const Grid& grid, float* value) {
  reference::dequantize_group(codes, n, scale, grid, value);
}

double learned_backward_group(const float* x, const float* g, int64_t n, float scale, const Grid& grid,
                              const Surrogate& surrogate, float* dx) {
  return reference::learned_backward_group(x, g, n, scale, grid, surrogate, dx);
}

void apply_mask(const float* g, const uint8_t* mask, int64_t n, float* dx) { reference::apply_mask(g, mask, n, dx); }

}  // namespace detent::kernels
