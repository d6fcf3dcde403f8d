#include "detent/optim/composite.h"

#include <ATen/ATen.h>

namespace detent::composite {

namespace {

at::Tensor scaled_gradient(const at::Tensor& g, float scale, float coupled, const at::Tensor& w,
                           const at::Tensor& target) {
  const at::Tensor gradient = g.mul(scale);
  return coupled != 0 ? gradient + (w - target).mul(coupled) : gradient;
}
}  // namespace

void adamw(const kernels::AdamwCoefficients& c, const at::Tensor& w, const at::Tensor& g, const at::Tensor& m,
           const at::Tensor& v, const at::Tensor& target) {
  const at::NoGradGuard guard;
  const at::Tensor gradient = scaled_gradient(g, c.gradient_scale, c.coupled, w, target);
  m.add_((gradient - m).mul(c.one_minus_beta1));
  v.mul_(c.beta2).add_(gradient.mul(c.one_minus_beta2).mul(gradient));
  w.copy_(w.mul(c.decay) - m.mul(c.step_size).div(v.sqrt().add(c.epsilon)));
}

void sgd(const kernels::SgdCoefficients& c, const at::Tensor& w, const at::Tensor& g, const at::Tensor& b,
         const at::Tensor& target) {
  const at::NoGradGuard guard;
  at::Tensor step = g.mul(c.gradient_scale) + w.mul(c.weight_decay);
  if (c.coupled != 0) step = step + (w - target).mul(c.coupled);
  if (c.momentum != 0) {
    b.copy_(c.first ? step : b.mul(c.momentum) + step);
    step = c.nesterov ? step + b.mul(c.momentum) : b;
  }
  w.sub_(step.mul(c.lr));
}

void pull(const at::Tensor& w, const at::Tensor& target, float strength) {
  const at::NoGradGuard guard;
  w.sub_((w - target).mul(strength));
}

at::Tensor sum_squares(const at::Tensor& x) { return x.to(at::kDouble).square().sum(); }

}  // namespace detent::composite
