#include "detent/train/not_finite.h"

#include <ATen/ATen.h>

#include <cmath>

#include "detent/base/error.h"

namespace detent {

namespace {

bool finite(const at::Tensor& x) { return !x.defined() || at::isfinite(x).all().item<bool>(); }

}  // namespace

void fail_not_finite(const std::string& what, const RunPlace& place) {
  fail("step {}: {} is not finite; {}; lower optimizer.learning_rate, or set optimizer.max_grad_norm", place.step, what,
       place.last_good.empty() ? "there is no checkpoint yet"
                               : "the last good checkpoint is " + place.last_good.string());
}

void check_step(const std::vector<OptimizedParameter>& parameters, double loss, double norm, const RunPlace& place) {
  if (std::isfinite(loss) && std::isfinite(norm)) return;
  if (std::isfinite(loss))
    for (const OptimizedParameter& parameter : parameters)
      if (!finite(parameter.value.grad())) fail_not_finite("the gradient of " + parameter.name, place);
  fail_not_finite("the loss", place);
}

void check_weights(const std::vector<OptimizedParameter>& parameters, const RunPlace& place) {
  for (const OptimizedParameter& parameter : parameters)
    if (!finite(parameter.value)) fail_not_finite("after its update, " + parameter.name, place);
}

}  // namespace detent
