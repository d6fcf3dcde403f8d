// Alpha-blending's schedule. alpha(t) = 1 - ((T1 - t) / (T1 - T0))^exponent inside the window, 0 before, 1 after.
#pragma once
#include "detent/base/options.h"

namespace detent {

struct AlphaBlendingOptions {
  double start = 0, end = 0.8, exponent = 3;

  template <class V>
  void visit(V& v) {
    v.field("start", start, "share of training at which blending begins", Range{0, 1});
    v.field("end", end, "share of training from which the weights are fully quantized and frozen", Range{0, 1, true});
    v.field("exponent", exponent, "shape of the rise; 1 is linear", Range{0, 100, true});
  }
};
void check(const AlphaBlendingOptions& options);
// Blend of the forward in step t = 1..total.
double blend_at(const AlphaBlendingOptions& options, int64_t t, int64_t total);

}  // namespace detent
