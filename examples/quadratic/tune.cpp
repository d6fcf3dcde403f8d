#include "quadratic/tune.h"

#include <cmath>
#include <limits>

namespace detent::quadratic {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr uint64_t kFirstTuningSeed = 1000;

// From far too small to far too large: SGD is unstable beyond a rate of 2, the largest eigenvalue being 1; Adam's step
// is about its rate, and the numbers it looks for are around 1.
std::vector<double> rates(Optimizer optimizer, int count) {
  const double low = optimizer == Optimizer::kSgd ? 0.01 : 0.001, high = 1000 * low;
  std::vector<double> out;
  for (int i = 0; i < count; ++i) out.push_back(low * std::pow(high / low, i / std::max(1., count - 1.)));
  return out;
}

std::vector<double> lambdas(Correction correction) {
  if (correction == Correction::kNone) return {0};
  return {0.1, 0.3, 1, 3, 10, 30};
}

double score(const std::vector<Case>& cases, const Arm& arm, const Settings& settings) {
  double sum = 0;
  for (const Case& on : cases) sum += ratio(on, arm, settings);
  return sum / static_cast<double>(cases.size());
}

std::vector<Case> make_cases(double condition, uint64_t first_seed, int count, int64_t steps) {
  std::vector<Case> out;
  for (int i = 0; i < count; ++i) out.emplace_back(Loss::kQuadratic, condition, first_seed + i, steps);
  return out;
}

}  // namespace

Cases::Cases(double condition, const Budget& budget)
    : tuning(make_cases(condition, kFirstTuningSeed, budget.tuning_seeds, budget.steps)),
      results(make_cases(condition, 0, budget.seeds, budget.steps)) {}

double ratio(const Case& on, const Arm& arm, const Settings& settings) {
  const double out = search(on, arm, settings).value / on.rounding_value;
  return std::isfinite(out) ? out : kInfinity;
}

Tuned tune(const Arm& arm, const Cases& cases, double noise, const Budget& budget) {
  const std::vector<double> strengths = lambdas(arm.correction);
  const std::vector<double> row = rates(arm.optimizer, budget.trials / static_cast<int>(strengths.size()));
  Tuned best{arm, {}, {}, false};
  double best_score = kInfinity;
  for (const double lambda : strengths)
    for (const double rate : row) {
      Settings settings{rate, lambda, noise, budget.steps};
      const double found = score(cases.tuning, arm, settings);
      if (!(found < best_score)) continue;
      best_score = found;
      best.settings = settings;
      const bool edge_lambda = lambda > 0 && (lambda == strengths.front() || lambda == strengths.back());
      best.at_edge = rate == row.front() || rate == row.back() || edge_lambda;
    }
  for (const Case& on : cases.results) best.ratios.push_back(ratio(on, arm, best.settings));
  return best;
}

}  // namespace detent::quadratic
