// QuEST's trust estimator: the gradient passes where the rounding error is at most half a step, so only clipped values
// far outside the grid are masked (arXiv 2502.05003).
#include "detent/base/error.h"
#include "detent/qat/method.h"

namespace detent {

namespace {
struct Trust : SurrogateMethod {
  using Options = NoOptions;
  explicit Trust(const Options&) {}
  void check(const QuantSpec& spec) const override {
    if (spec.scale_rule == ScaleRule::kLearned) fail("[trust] has no gradient for a learned scale; use surrogate: lsq");
  }
  kernels::Surrogate surrogate(const QuantSpec& spec) const override {
    const float half = spec.grid.top_step() / 2;
    return {spec.grid.level(spec.grid.lo()) - half, spec.grid.level(spec.grid.hi()) + half};
  }
};
}  // namespace

extern const MethodEntry method_trust;
const MethodEntry method_trust = {
    MethodKind::kSurrogate, "the gradient passes where the rounding error is at most half a step",
    "arXiv 2502.05003",     "every grid; scales that clip: rms, mean",
    option_rows<NoOptions>, make_from_options<Trust>};

}  // namespace detent
