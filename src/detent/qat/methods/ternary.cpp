// Ternary weights: BitNet b1.58's mean|W| scale with a plain straight-through gradient (arXiv 2402.17764), or a learned
// step with the gradient passing inside the code range.
#include "detent/base/error.h"
#include "detent/ops/row_quantizer.h"
#include "detent/qat/method.h"

namespace detent {

namespace {
struct Ternary : SurrogateMethod {
  using Options = NoOptions;
  explicit Ternary(const Options&) {}
  void check(const QuantSpec& spec) const override {
    if (spec.grid.kind != GridKind::kTernary) fail("[ternary] needs grid: ternary, got {}", spec.grid.name());
    if (spec.scale_rule != ScaleRule::kMean && spec.scale_rule != ScaleRule::kLearned)
      fail("[ternary] takes scale: mean (BitNet b1.58) or learned, got {}", scale_rule_name(spec.scale_rule));
  }
  kernels::Surrogate surrogate(const QuantSpec& spec) const override {
    if (spec.scale_rule == ScaleRule::kMean) return ops::pass_through();
    return {-1, 1, -1, 1, 1};
  }
  ScaleRule initial_rule(const Grid&) const override { return ScaleRule::kMean; }
};
}  // namespace

extern const MethodEntry method_ternary;
const MethodEntry method_ternary = {MethodKind::kSurrogate,
                                    "ternary with BitNet's mean scale (straight-through) or a learned step",
                                    "arXiv 2402.17764 (BitNet b1.58)",
                                    "ternary; scale mean or learned",
                                    option_rows<NoOptions>,
                                    make_from_options<Ternary>};

}  // namespace detent
