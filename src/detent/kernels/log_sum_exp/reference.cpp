#include <algorithm>
#include <cmath>
#include <limits>

#include "detent/kernels/exponential.h"
#include "detent/kernels/lane_sum.h"
#include "detent/kernels/log_sum_exp/log_sum_exp.h"

namespace detent::kernels {

namespace reference {

ExpSum exp_sum(const float* x, int64_t n) {
  float largest = -std::numeric_limits<float>::infinity();
  bool ordered = true;
  for (int64_t i = 0; i < n; ++i) {
    largest = std::max(largest, x[i]);
    ordered = ordered && !std::isnan(x[i]);
  }
  if (!ordered) largest = std::numeric_limits<float>::quiet_NaN();
  if (!std::isfinite(largest)) return without_terms(largest);
  largest += 0.0f;  // -0 and 0 are equally large
  LaneSum sum;
  for (int64_t i = 0; i < n; ++i) sum.add(i, exp_of_negative(x[i] - largest));
  return {largest, sum.total()};
}

}  // namespace reference

double log_sum_exp(const ExpSum* parts, int64_t count) {
  double largest = parts[0].largest, sum = 0;
  for (int64_t i = 1; i < count; ++i) largest = std::max<double>(largest, parts[i].largest);
  for (int64_t i = 0; i < count; ++i) sum += parts[i].sum * std::exp(parts[i].largest - largest);
  return largest + std::log(sum);
}

}  // namespace detent::kernels
