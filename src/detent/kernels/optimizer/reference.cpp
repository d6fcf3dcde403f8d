#include <cmath>

#include "detent/kernels/lane_sum.h"
#include "detent/kernels/optimizer/optimizer.h"

namespace detent::kernels {

AdamwCoefficients adamw_coefficients(double lr, double weight_decay, double beta1, double beta2, double epsilon,
                                     int64_t t) {
  const double steps = static_cast<double>(t), bias2_sqrt = std::sqrt(1 - std::pow(beta2, steps));
  return {.decay = static_cast<float>(1 - lr * weight_decay),
          .one_minus_beta1 = static_cast<float>(1 - beta1),
          .beta2 = static_cast<float>(beta2),
          .one_minus_beta2 = static_cast<float>(1 - beta2),
          .step_size = static_cast<float>(lr * bias2_sqrt / (1 - std::pow(beta1, steps))),
          .epsilon = static_cast<float>(epsilon * bias2_sqrt),
          .gradient_scale = 1};
}

}  // namespace detent::kernels

namespace detent::kernels::reference {

void adamw_row(const AdamwCoefficients& c, float* w, const float* g, float* m, float* v, const float* target,
               int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    float gradient = c.gradient_scale * g[i];
    if (c.coupled != 0) gradient += c.coupled * (w[i] - target[i]);
    m[i] += c.one_minus_beta1 * (gradient - m[i]);
    v[i] = c.beta2 * v[i] + c.one_minus_beta2 * gradient * gradient;
    w[i] = w[i] * c.decay - c.step_size * m[i] / (std::sqrt(v[i]) + c.epsilon);
  }
}

void sgd_row(const SgdCoefficients& c, float* w, const float* g, float* b, const float* target, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    float step = c.gradient_scale * g[i] + c.weight_decay * w[i];
    if (c.coupled != 0) step += c.coupled * (w[i] - target[i]);
    if (c.momentum != 0) {
      b[i] = c.first ? step : c.momentum * b[i] + step;
      step = c.nesterov ? step + c.momentum * b[i] : b[i];
    }
    w[i] -= c.lr * step;
  }
}

void pull_row(float* w, const float* target, float strength, int64_t n) {
  for (int64_t i = 0; i < n; ++i) w[i] -= strength * (w[i] - target[i]);
}

double sum_squares(const float* x, int64_t n) { return reference::dot(x, x, n); }

double dot(const float* a, const float* b, int64_t n) {
  LaneSum sum;
  for (int64_t i = 0; i < n; ++i) sum.add(i, double{a[i]} * b[i]);
  return sum.total();
}

}  // namespace detent::kernels::reference
