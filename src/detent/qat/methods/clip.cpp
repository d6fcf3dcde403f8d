// Clipped straight-through: the gradient passes where |x| <= k * c, c the grid's top level. QuEST calls it MSE (CAGE's
// default quantizer); its 1-bit form uses k = 1.3 with rotation, 1.25 without (arXiv 2502.05003).
#include "detent/base/error.h"
#include "detent/qat/method.h"

namespace detent {

namespace {
struct ClipOptions {
  double factor = 1;
  template <class V>
  void visit(V& v) {
    v.field("factor", factor, "k: how far beyond the top level the gradient still passes", Range{0, 100, true});
  }
};

struct Clip : SurrogateMethod {
  using Options = ClipOptions;
  explicit Clip(const Options& options) : options_(options) {}
  void check(const QuantSpec& spec) const override {
    if (spec.scale_rule == ScaleRule::kLearned) fail("[clip] has no gradient for a learned scale; use surrogate: lsq");
  }
  kernels::Surrogate surrogate(const QuantSpec& spec) const override {
    const float k = static_cast<float>(options_.factor);
    return {k * spec.grid.level(spec.grid.lo()), k * spec.grid.level(spec.grid.hi())};
  }

 private:
  Options options_;
};
}  // namespace

extern const MethodEntry method_clip;
const MethodEntry method_clip = {MethodKind::kSurrogate,
                                 "the gradient passes where |x| <= factor * top level",
                                 "arXiv 2502.05003 (\"MSE\"), 2510.18784",
                                 "every grid; scales that clip: rms, mean, absmax_full or absmax_signed on int",
                                 option_rows<ClipOptions>,
                                 make_from_options<Clip>};

}  // namespace detent
