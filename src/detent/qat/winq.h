// WinQ (arXiv 2605.17471): Gaussian noise on the weights before quantization, and every K steps an interpolation of the
// weights towards the grid, W <- (1 - a) W + a Q(W).
#pragma once
#include "detent/base/options.h"

namespace detent {

struct WinqOptions {
  double interpolation = 0.4;
  int64_t every = 1000;
  double noise = 1e-3;
  bool noise_scales = true;

  template <class V>
  void visit(V& v) {
    v.field(
        "interpolation", interpolation,
        "weight of Q(W) in a reset, the paper's alpha (the released code's 0.2 is the weight of W: 0.8 here); 0: none",
        Range{0, 1});
    v.field("every", every, "steps between resets; 0: none", kNonNegative);
    v.field("noise", noise, "standard deviation of the noise added before quantization, absolute; 0: none",
            kNonNegative);
    v.field("noise_scales", noise_scales, "learned steps get the same noise, as in the released code");
  }
  bool resets_after(int64_t t) const { return every > 0 && interpolation > 0 && t % every == 0; }
};

}  // namespace detent
