// The straight-through estimator: the gradient passes everywhere (Bengio et al., arXiv 1308.3432).
#include <limits>

#include "detent/base/error.h"
#include "detent/ops/row_quantizer.h"
#include "detent/qat/method.h"

namespace detent {

namespace {
struct Ste : SurrogateMethod {
  using Options = NoOptions;
  explicit Ste(const Options&) {}
  void check(const QuantSpec& spec) const override {
    if (spec.scale_rule == ScaleRule::kLearned)
      fail("[ste] has no gradient for a learned scale; use surrogate: lsq (straight-through with learned steps)");
  }
  kernels::Surrogate surrogate(const QuantSpec&) const override { return ops::pass_through(); }
};
}  // namespace

extern const MethodEntry method_ste;
const MethodEntry method_ste = {MethodKind::kSurrogate, "straight-through estimator: the gradient passes everywhere",
                                "arXiv 1308.3432",      "every grid; every scale rule but learned",
                                option_rows<NoOptions>, make_from_options<Ste>};

}  // namespace detent
