// SEQ, the stretched elastic quantizer of ParetoQ (arXiv 2502.02631) that WinQ builds on at 1.58 and 2 bits:
// s * (round(clip(W/s, +-0.99) n - h) + h) / n, i.e. the ternary or 2-bit mid-rise grid with scale d = s / n.
#include <ATen/ATen.h>

#include "detent/base/error.h"
#include "detent/qat/method.h"
#include "detent/quant/quantizer.h"

namespace detent {

namespace {
struct SeqOptions {
  std::string saturated = "level";
  template <class V>
  void visit(V& v) {
    v.field("saturated", saturated, "slope of the step beyond the range: the level there, or +-1 as ParetoQ's code has",
            Choices{"level", "one"});
  }
};

struct Seq : SurrogateMethod {
  using Options = SeqOptions;
  explicit Seq(const Options& options) : options_(options) {}
  void check(const QuantSpec& spec) const override {
    const bool two_bits = spec.grid.kind == GridKind::kMidrise && spec.grid.bits == 2;
    if (spec.grid.kind != GridKind::kTernary && !two_bits)
      fail("[seq] is defined for grid ternary and for midrise with 2 bits, not for {}", spec.grid.name());
    if (spec.scale_rule != ScaleRule::kLearned) fail("[seq] learns its scale; set scale: learned");
  }
  float learned_unit(const Grid& grid) const override { return grid.kind == GridKind::kTernary ? 1.5f : 2.0f; }
  kernels::Surrogate surrogate(const QuantSpec& spec) const override {
    const float n = learned_unit(spec.grid), edge = 0.99f * n;
    const float top = options_.saturated == "one" ? n : spec.grid.level(spec.grid.hi());
    return {-edge, edge, -top, top, 1};
  }
  // s starts at max|W|, whatever the levels are.
  at::Tensor initial_parameter(const at::Tensor& x, const QuantSpec& spec, ScaleRule rule) const override {
    QuantSpec plain = spec;
    plain.grid = make_grid("ternary", 2);  // symmetric top 1: the absmax rule is max|W| itself
    plain.learned_unit = 1;
    if (rule == ScaleRule::kAbsmax) return initial_scale(x, plain, rule);
    return initial_scale(x, spec, rule);
  }

 private:
  Options options_;
};
}  // namespace

extern const MethodEntry method_seq;
const MethodEntry method_seq = {
    MethodKind::kSurrogate,
    "stretched elastic quantizer with learned steps; the gradient passes where |W/s| <= 0.99",
    "arXiv 2502.02631 (ParetoQ), 2605.17471 (WinQ)",
    "ternary, midrise 2; scale learned",
    option_rows<SeqOptions>,
    make_from_options<Seq>};

}  // namespace detent
