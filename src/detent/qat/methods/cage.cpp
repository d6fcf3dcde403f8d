// CAGE's options, schedule and sizes. The update itself is the optimizer's pull towards a RowTarget.
#include "detent/qat/cage.h"

#include "detent/base/key_error.h"
#include "detent/qat/method.h"

namespace detent {

void check(const CageOptions& options) {
  const int given = options.lambda.has_value() + options.strength.has_value() + options.pull.has_value();
  if (given > 1) fail_key("cage", "takes lambda, strength or pull, three ways to state one size; give one of them");
  if (options.start >= 1) fail_key("cage.start", "= 1 leaves no step to act in; lower it, or drop the cage block");
}

double cage_ramp(const CageOptions& options, int64_t t, int64_t total) {
  const double r = static_cast<double>(t) / static_cast<double>(total);
  if (r <= options.start) return 0;
  return options.ramp == "constant" ? 1 : (r - options.start) / (1 - options.start);
}

CageSize cage_size(const CageOptions& options, double sum_of_rates, double half_step) {
  double lambda = 0;
  if (options.lambda)
    lambda = *options.lambda;
  else if (options.strength)
    lambda = sum_of_rates > 0 ? *options.strength / sum_of_rates : 0;
  else
    lambda = half_step > 0 ? options.pull.value_or(0.06) / half_step : 0;
  return {lambda, lambda * sum_of_rates, lambda * half_step};
}

extern const MethodEntry method_cage;
const MethodEntry method_cage = {
    MethodKind::kOptimizerTerm,
    "curvature-aware pull of the weights towards their quantized values in the optimizer step",
    "arXiv 2510.18784",
    "every surrogate, on grid and scale pairs with a fixed point; top-level block cage",
    option_rows<CageOptions>,
    nullptr};

}  // namespace detent
