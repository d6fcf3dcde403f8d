#include "detent/qat/method.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "detent/base/error.h"
#include "detent/quant/quantizer.h"

namespace detent {

at::Tensor SurrogateMethod::initial_parameter(const at::Tensor& x, const QuantSpec& spec, ScaleRule rule) const {
  return initial_scale(x, spec, rule);
}

double SurrogateMethod::scale_gradient_factor(int64_t numel, const Grid& grid) const {
  const double top = grid.level_count() > 4 ? (1 << (grid.bits - 1)) - 1 : 1;  // Qp: 1 up to 2 bits
  return 1.0 / std::sqrt(static_cast<double>(numel) * top);
}

std::vector<std::string> surrogate_names() {
  std::vector<std::string> names;
  for (const NamedMethod& method : all_methods())
    if (method.entry->make) names.push_back(method.name);
  return names;
}

std::unique_ptr<SurrogateMethod> make_surrogate(const std::string& name, const Node& options) {
  for (const NamedMethod& method : all_methods())
    if (method.name == name && method.entry->make) return method.entry->make(options);
  fail("[quant] unknown surrogate '{}'; known: {}", name, fmt::join(surrogate_names(), ", "));
}

std::vector<std::string> kind_names(MethodKind kind) {
  switch (kind) {
    case MethodKind::kSurrogate:
      return {"surrogate"};
    case MethodKind::kOptimizerTerm:
      return {"optimizer_term"};
    case MethodKind::kNoiseAndReset:
      return {"noise", "reset"};
    case MethodKind::kBlend:
      return {"blend"};
  }
  return {};
}

}  // namespace detent
