// Every arm gets the same number of trials on the same seeds; the settings chosen are then run on other seeds.
#pragma once
#include <vector>

#include "detent/report/statistics.h"
#include "quadratic/search.h"

namespace detent::quadratic {

struct Budget {
  int trials = 48;  // six lambdas by eight rates for arms with a lambda, forty-eight rates for those without
  int tuning_seeds = 12, seeds = 32;
  int64_t steps = 1000;
};

// The cases of one condition number. Seeds from 1000 on are for tuning, 0, 1, ... for the results.
struct Cases {
  std::vector<Case> tuning, results;
  Cases(double condition, const Budget& budget);
};

struct Tuned {
  Arm arm;
  Settings settings;
  std::vector<double> ratios;  // f(Q(x)) / f(Q(x*)) on each result seed; 1: as good as solving first, rounding after
  bool at_edge = false;        // the rate or lambda is the first or last of its row: there may be a better one beyond
};

// The ratio of one run; infinity when it left the range of floats.
double ratio(const Case& on, const Arm& arm, const Settings& settings);
Tuned tune(const Arm& arm, const Cases& cases, double noise, const Budget& budget);

}  // namespace detent::quadratic
