#include "detent/report/statistics.h"

#include <cmath>
#include <limits>

namespace detent::report {

namespace {

// The 97.5 % quantile of Student's t; beyond 20 degrees of freedom the next smaller entry, which errs to caution.
double student_t(int degrees) {
  static constexpr double kTable[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                      2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086};
  return kTable[(degrees < 20 ? degrees : 20) - 1];
}

}  // namespace

double Sample::half_interval() const {
  if (n < 2) return std::numeric_limits<double>::quiet_NaN();
  return student_t(n - 1) * deviation / std::sqrt(static_cast<double>(n));
}

Sample describe(const std::vector<double>& values) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  Sample out{static_cast<int>(values.size()), kNan, kNan};
  if (values.empty()) return out;
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  out.mean = sum / out.n;
  for (const double value : values) squares += (value - out.mean) * (value - out.mean);
  if (out.n > 1) out.deviation = std::sqrt(squares / (out.n - 1));
  return out;
}

std::vector<double> values_of(const BySeed& by_seed) {
  std::vector<double> out;
  for (const auto& [seed, value] : by_seed) out.push_back(value);
  return out;
}

std::vector<double> paired_differences(const BySeed& arm, const BySeed& base) {
  std::vector<double> out;
  for (const auto& [seed, value] : arm)
    if (const auto found = base.find(seed); found != base.end()) out.push_back(value - found->second);
  return out;
}

}  // namespace detent::report
