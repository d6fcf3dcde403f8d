// Means over seeds and differences of runs paired by seed.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace detent::report {

struct Sample {
  int n = 0;
  double mean;       // NaN for n = 0
  double deviation;  // standard deviation with n - 1; NaN for n < 2
  // Half the width of the 95% interval of the mean, Student's t; NaN for n < 2.
  double half_interval() const;
};

Sample describe(const std::vector<double>& values);

using BySeed = std::map<long, double>;
std::vector<double> values_of(const BySeed& by_seed);
// arm - base for every seed that both have.
std::vector<double> paired_differences(const BySeed& arm, const BySeed& base);

}  // namespace detent::report
