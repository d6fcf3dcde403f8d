#include "quadratic/study.h"

#include <cmath>

#include "detent/base/error.h"

namespace detent::quadratic {

namespace {

std::vector<Arm> all_arms() {
  std::vector<Arm> out;
  for (const Optimizer optimizer : {Optimizer::kSgd, Optimizer::kAdam})
    for (const Correction correction : {Correction::kNone, Correction::kCoupled, Correction::kDecoupled})
      for (const bool annealed : {false, true}) out.push_back({optimizer, correction, annealed});
  return out;
}

double mean_descent(const std::vector<Case>& cases) {
  double sum = 0;
  for (const Case& on : cases) sum += on.problem.descent_value() / on.rounding_value;
  return sum / static_cast<double>(cases.size());
}

}  // namespace

const Tuned& Panel::find(Optimizer optimizer, Correction correction, bool annealed) const {
  for (const Tuned& tuned : arms)
    if (tuned.arm.optimizer == optimizer && tuned.arm.correction == correction && tuned.arm.annealed == annealed)
      return tuned;
  fail("this panel was run without the arm '{}'", Arm{optimizer, correction, annealed}.name());
}

std::vector<Panel> study_arms(const Budget& budget, const std::function<void(double)>& progress) {
  const std::vector<Arm> arms = all_arms();
  const double total = static_cast<double>(arms.size() * std::size(kConditions) * std::size(kNoises));
  double done = 0;
  std::vector<Panel> out;
  for (const double condition : kConditions) {
    const Cases cases(condition, budget);
    const double descent = mean_descent(cases.results);
    for (const double noise : kNoises) {
      Panel panel{condition, noise, descent, {}};
      for (const Arm& arm : arms) {
        panel.arms.push_back(tune(arm, cases, noise, budget));
        progress(++done / total);
      }
      out.push_back(panel);
    }
  }
  return out;
}

report::Points trajectory(const Panel& panel, const Tuned& arm, const Budget& budget) {
  const Case on(Loss::kQuadratic, panel.condition, 0, budget.steps);
  const Outcome outcome = search(on, arm.arm, arm.settings, std::max<int64_t>(1, budget.steps / 250));
  report::Points out;
  for (size_t i = 0; i < outcome.steps.size(); ++i) out.add(outcome.steps[i], outcome.value_at[i] / on.rounding_value);
  return out;
}

std::vector<ParetoCurve> study_pareto(bool quick) {
  const int longest = quick ? 9 : 14, seeds = quick ? 1 : 3;
  std::vector<Case> cases;
  for (int seed = 0; seed < seeds; ++seed) cases.emplace_back(Loss::kRobust, 1, seed, int64_t{1} << longest);
  std::vector<ParetoCurve> out;
  for (const double lambda : {0., 0.3, 1., 3., 10.}) {
    ParetoCurve curve{lambda, {}, 0};
    for (int exponent = quick ? 6 : 8; exponent <= longest; ++exponent) {
      Settings settings{0, lambda, kParetoNoise, int64_t{1} << exponent};
      settings.learning_rate = 1 / std::sqrt(static_cast<double>(settings.steps));
      settings.ramp = false;
      double sum = 0;
      for (const Case& on : cases)
        sum += search(on, {Optimizer::kSgd, Correction::kCoupled, false}, settings).pareto_square;
      curve.squares.add(static_cast<double>(settings.steps), sum / seeds);
    }
    curve.slope = log_slope(curve.squares);
    out.push_back(curve);
  }
  return out;
}

double log_slope(const report::Points& points) {
  const double n = static_cast<double>(points.x.size());
  double x = 0, y = 0, xx = 0, xy = 0;
  for (size_t i = 0; i < points.x.size(); ++i) {
    const double u = std::log(points.x[i]), v = std::log(points.y[i]);
    x += u, y += v, xx += u * u, xy += u * v;
  }
  return (n * xy - x * y) / (n * xx - x * x);
}

}  // namespace detent::quadratic
