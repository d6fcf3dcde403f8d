// 1-bit weights: s * sign(W), with s learned (ParetoQ, arXiv 2502.02631) or mean|W| (XNOR-Net, 1603.05279). The
// gradient passes where |W/s| <= 1; a learned s has slope sign(W) everywhere.
#include "detent/base/error.h"
#include "detent/qat/method.h"

namespace detent {

namespace {
struct Binary : SurrogateMethod {
  using Options = NoOptions;
  explicit Binary(const Options&) {}
  void check(const QuantSpec& spec) const override {
    if (spec.grid.kind != GridKind::kBinary) fail("[binary] needs grid: binary, got {}", spec.grid.name());
  }
  kernels::Surrogate surrogate(const QuantSpec&) const override { return {-1, 1, -1, 1, 0}; }
  ScaleRule initial_rule(const Grid&) const override { return ScaleRule::kMean; }
};
}  // namespace

extern const MethodEntry method_binary;
const MethodEntry method_binary = {MethodKind::kSurrogate,
                                   "1-bit sign with a learned or mean scale; the gradient passes where |W/s| <= 1",
                                   "arXiv 2502.02631 (ParetoQ), 1603.05279 (XNOR-Net)",
                                   "binary; scale learned, mean or rms",
                                   option_rows<NoOptions>,
                                   make_from_options<Binary>};

}  // namespace detent
