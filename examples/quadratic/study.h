// The two studies of this example: every arm on the quadratics, and the Pareto distance over the length of a run.
#pragma once
#include <functional>
#include <vector>

#include "detent/report/run_log.h"
#include "quadratic/tune.h"

namespace detent::quadratic {

// All arms on one quadratic, each with its own tuned settings.
struct Panel {
  double condition, noise;
  double descent;  // mean ratio of changing single codes after rounding, as a yardstick that trains nothing
  std::vector<Tuned> arms;

  const Tuned& find(Optimizer optimizer, Correction correction, bool annealed) const;
};

inline constexpr double kConditions[] = {1, 10, 100};
inline constexpr double kNoises[] = {0, 0.1};

// `progress` is told the share done.
std::vector<Panel> study_arms(const Budget& budget, const std::function<void(double)>& progress);

// f(Q(x)) over the steps of one seed with the tuned settings, in units of rounding.
report::Points trajectory(const Panel& panel, const Tuned& arm, const Budget& budget);

// SGD with lambda from the first step on the non-convex problem, learning rate 1 / sqrt(T): the mean over the steps of
// ||grad f(Q(x)) + lambda (x - Q(x))||^2 for several T. CAGE's theorem says O(1 / sqrt(T)).
struct ParetoCurve {
  double lambda;
  report::Points squares;  // over T
  double slope;            // of log square over log T, least squares; the theorem's is -1/2
};
inline constexpr double kParetoNoise = 0.1;
std::vector<ParetoCurve> study_pareto(bool quick);

// The least-squares slope of log y over log x.
double log_slope(const report::Points& points);

}  // namespace detent::quadratic
