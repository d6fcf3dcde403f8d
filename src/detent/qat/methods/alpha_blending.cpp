// Alpha-blending (arXiv 1903.01061): W~ = (1 - a) W + a Q(W), Q held constant, so that dL/dW = (1 - a) dL/dW~ is exact.
#include "detent/qat/alpha_blending.h"

#include <cmath>

#include "detent/base/key_error.h"
#include "detent/qat/method.h"

namespace detent {

void check(const AlphaBlendingOptions& options) {
  if (!(options.start < options.end))
    fail_key("alpha_blending.start", "= {} must come before alpha_blending.end = {}", options.start, options.end);
}

double blend_at(const AlphaBlendingOptions& options, int64_t t, int64_t total) {
  const double r = static_cast<double>(t) / static_cast<double>(total);
  if (r <= options.start) return 0;
  if (r >= options.end) return 1;
  return 1 - std::pow((options.end - r) / (options.end - options.start), options.exponent);
}

extern const MethodEntry method_alpha_blending;
const MethodEntry method_alpha_blending = {
    MethodKind::kBlend,
    "(1-a) W + a Q(W) in place of a surrogate; a rises from 0 to 1 and the learning rate of the weights falls with 1-a",
    "arXiv 1903.01061",
    "every grid and scale rule; top-level block alpha_blending",
    option_rows<AlphaBlendingOptions>,
    nullptr};

}  // namespace detent
