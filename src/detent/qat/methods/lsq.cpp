// LSQ: straight-through with a learned step (arXiv 1902.08153, equations 3 and 5; ParetoQ's normaliser, 2502.02631).
#include "detent/base/error.h"
#include "detent/qat/method.h"

namespace detent {

namespace {
struct Lsq : SurrogateMethod {
  using Options = NoOptions;
  explicit Lsq(const Options&) {}
  void check(const QuantSpec& spec) const override {
    if (spec.scale_rule != ScaleRule::kLearned) fail("[lsq] learns its scale; set scale: learned");
    if (spec.grid.kind == GridKind::kBinary) fail("[lsq] is not defined at 1 bit; use surrogate: binary");
  }
  kernels::Surrogate surrogate(const QuantSpec& spec) const override {
    const float low = spec.grid.level(spec.grid.lo()), high = spec.grid.level(spec.grid.hi());
    return {low, high, low, high, 1};
  }
  ScaleRule initial_rule(const Grid& grid) const override {
    const bool full = grid.kind == GridKind::kMidrise || !grid.uniform();
    return full ? ScaleRule::kAbsmaxFull : ScaleRule::kAbsmax;
  }
};
}  // namespace

extern const MethodEntry method_lsq;
const MethodEntry method_lsq = {
    MethodKind::kSurrogate, "straight-through with learned steps; the gradient passes inside the code range",
    "arXiv 1902.08153",     "int, int_high, midrise, ternary, e2m1; scale learned",
    option_rows<NoOptions>, make_from_options<Lsq>};

}  // namespace detent
