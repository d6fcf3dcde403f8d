#include "detent/kernels/optimizer/optimizer.h"

namespace detent::kernels {

void adamw_row(const AdamwCoefficients& c, float* w, const float* g, float* m, float* v, const float* target,
               int64_t n) {
  reference::adamw_row(c, w, g, m, v, target, n);
}

void sgd_row(const SgdCoefficients& c, float* w, const float* g, float* b, const float* target, int64_t n) {
  reference::sgd_row(c, w, g, b, target, n);
}

void pull_row(float* w, const float* target, float strength, int64_t n) { reference::pull_row(w, target, strength, n); }

double sum_squares(const float* x, int64_t n) { return reference::sum_squares(x, n); }
double dot(const float* a, const float* b, int64_t n) { return reference::dot(a, b, n); }

}  // namespace detent::kernels
