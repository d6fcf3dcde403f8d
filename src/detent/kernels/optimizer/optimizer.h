// Optimizer steps over one row, and the pull of a row towards a target (CAGE's term, WinQ's reset).
// Class: exact. The target row is computed by the caller while the row is in cache, so no tensor of targets exists.
#pragma once
#include <cstdint>

namespace detent::kernels {

// One AdamW step with decoupled decay (Loshchilov & Hutter, arXiv 1711.05101):
//   m += (1-beta1)(g'-m); v = beta2 v + (1-beta2) g'^2; w = decay w - step_size * m / (sqrt(v) + epsilon)
// with g' = gradient_scale * g + coupled * (w - target), w the weight before the step. The corrections of both moments
// are in step_size (Kingma & Ba, arXiv 1412.6980, end of section 2), which saves a division an element; epsilon is
// scaled with them, so that the step is that of torch.optim.AdamW but for rounding.
struct AdamwCoefficients {
  float decay;  // 1 - lr * weight_decay
  float one_minus_beta1, beta2, one_minus_beta2;
  float step_size;       // lr * sqrt(1 - beta2^t) / (1 - beta1^t)
  float epsilon;         // the optimizer's * sqrt(1 - beta2^t)
  float gradient_scale;  // 1, or the clipping factor of the global norm
  float coupled = 0;     // strength of the coupled term; target may be null when 0
};
// Of step t, counted from 1; no clipping and no coupled term.
AdamwCoefficients adamw_coefficients(double lr, double weight_decay, double beta1, double beta2, double epsilon,
                                     int64_t t);
void adamw_row(const AdamwCoefficients& c, float* w, const float* g, float* m, float* v, const float* target,
               int64_t n);

// One SGD step, torch.optim.SGD's order: g' = gradient_scale*g + weight_decay*w + coupled*(w-target);
// momentum buffer b = first ? g' : momentum*b + g' (dampening 0); step = nesterov ? g' + momentum*b : b; w -= lr*step.
// momentum == 0: b is not touched and may be null.
struct SgdCoefficients {
  float lr, momentum, weight_decay, gradient_scale;
  bool nesterov = false, first = false;
  float coupled = 0;
};
void sgd_row(const SgdCoefficients& c, float* w, const float* g, float* b, const float* target, int64_t n);

// How many rows to step before their targets are computed. What a row's target takes is done in the caches, meanwhile
// the memory rests, and it starts slowly again: the processor fetches ahead within a page and no further. Rows of a
// part of a page do best one by one, longer ones in bundles which the second-level cache still holds.
inline int64_t rows_at_once(int64_t columns) {
  constexpr int64_t kPart = 512, kBundle = 16384;  // floats
  return columns <= kPart || columns >= kBundle ? 1 : kBundle / columns;
}

// w -= strength * (w - target): CAGE's decoupled term (arXiv 2510.18784), and with strength alpha WinQ's reset
// w = (1-alpha) w + alpha Q(w) (arXiv 2605.17471).
void pull_row(float* w, const float* target, float strength, int64_t n);

// Sum of squares in double over the fixed tree of 16 lanes: gradient norms that no thread count can change.
double sum_squares(const float* x, int64_t n);
// Sum of a*b likewise.
double dot(const float* a, const float* b, int64_t n);

namespace reference {
void adamw_row(const AdamwCoefficients& c, float* w, const float* g, float* m, float* v, const float* target,
               int64_t n);
void sgd_row(const SgdCoefficients& c, float* w, const float* g, float* b, const float* target, int64_t n);
void pull_row(float* w, const float* target, float strength, int64_t n);
double sum_squares(const float* x, int64_t n);
double dot(const float* a, const float* b, int64_t n);
}  // namespace reference

}  // namespace detent::kernels
