#include <cmath>

#include "detent/base/error.h"
#include "detent/report/text.h"
#include "quadratic/page.h"

namespace detent::quadratic {

using report::Column;
using report::Table;

namespace {

std::string panel_name(const Panel& panel) {
  return fmt::format("κ={:g}{}", panel.condition, panel.noise > 0 ? " noisy" : "");
}

// An arm a row, a panel a column.
Table arm_table(const Results& results, const std::string& caption) {
  Table table;
  table.caption = caption;
  table.columns = {{"arm", false}};
  for (const Panel& panel : results.panels) table.columns.push_back({panel_name(panel)});
  return table;
}

std::string mean_and_deviation(const std::vector<double>& values) {
  const report::Sample sample = report::describe(values);
  return std::isfinite(sample.mean) ? fmt::format("{:.3f} ± {:.3f}", sample.mean, sample.deviation) : "diverged";
}

std::string difference_cell(const Tuned& arm, const Tuned& base) {
  std::vector<double> differences;
  for (size_t i = 0; i < arm.ratios.size(); ++i) differences.push_back(arm.ratios[i] - base.ratios[i]);
  const report::Sample sample = report::describe(differences);
  if (!std::isfinite(sample.mean)) return "diverged";
  const bool open = !(std::fabs(sample.mean) > sample.half_interval());
  return fmt::format("{:+.3f} ± {:.3f}{}", sample.mean, sample.half_interval(), open ? " =" : "  ");
}

}  // namespace

Table ratio_table(const Results& results) {
  Table table =
      arm_table(results, "Final f(Q(x)) / f(Q(x*)): 1 is solving first and rounding afterwards, lower is better");
  for (size_t i = 0; i < results.panels[0].arms.size(); ++i) {
    std::vector<std::string> row{results.panels[0].arms[i].arm.name()};
    for (const Panel& panel : results.panels) row.push_back(mean_and_deviation(panel.arms[i].ratios));
    table.rows.push_back(row);
  }
  std::vector<std::string> row{"rounding, then single codes"};
  for (const Panel& panel : results.panels) row.push_back(fmt::format("{:.3f}", panel.descent));
  table.rows.push_back(row);
  table.notes = {fmt::format(
      "Mean ± standard deviation over {} seeds that no setting was tuned on; {} trials an arm and column on {} other "
      "seeds; {} steps. Noisy: deviation {} on every entry of the gradient. Last row: from Q(x*), change one code by "
      "one "
      "while that helps.",
      results.budget.seeds, results.budget.trials, results.budget.tuning_seeds, results.budget.steps, kNoises[1])};
  return table;
}

Table difference_table(const Results& results) {
  Table table =
      arm_table(results, "The same numbers minus those of the same optimizer's annealed straight-through arm");
  for (size_t i = 0; i < results.panels[0].arms.size(); ++i) {
    const Arm& arm = results.panels[0].arms[i].arm;
    if (arm.correction == Correction::kNone && arm.annealed) continue;
    std::vector<std::string> row{arm.name()};
    for (const Panel& panel : results.panels)
      row.push_back(difference_cell(panel.arms[i], panel.find(arm.optimizer, Correction::kNone, true)));
    table.rows.push_back(row);
  }
  table.notes = {
      "Paired by seed, mean ± half the 95% interval (Student's t); negative is better; = marks an interval "
      "that holds zero."};
  return table;
}

Table settings_table(const Results& results) {
  Table table = arm_table(results, "What tuning chose: learning rate, λ");
  for (size_t i = 0; i < results.panels[0].arms.size(); ++i) {
    std::vector<std::string> row{results.panels[0].arms[i].arm.name()};
    for (const Panel& panel : results.panels) {
      const Tuned& tuned = panel.arms[i];
      const bool corrected = tuned.arm.correction != Correction::kNone;
      row.push_back(fmt::format("{:.2g}{}{}", tuned.settings.learning_rate,
                                corrected ? fmt::format(", {:g}", tuned.settings.lambda) : "",
                                tuned.at_edge ? " !" : ""));
    }
    table.rows.push_back(row);
  }
  table.notes = {"! marks a rate or λ that is the first or last of the row that was searched."};
  return table;
}

Table pareto_table(const Results& results) {
  Table table;
  table.caption = "Mean over the steps of ‖∇f(Q(x)) + λ(x − Q(x))‖², SGD with rate 1/√T on the non-convex problem";
  table.columns = {{"λ"}};
  for (const double steps : results.pareto[0].squares.x) table.columns.push_back({fmt::format("T={:g}", steps)});
  table.columns.push_back({"slope"});
  for (const ParetoCurve& curve : results.pareto) {
    std::vector<std::string> row{fmt::format("{:g}", curve.lambda)};
    for (const double square : curve.squares.y) row.push_back(fmt::format("{:.4f}", square));
    row.push_back(fmt::format("{:+.2f}", curve.slope));
    table.rows.push_back(row);
  }
  table.notes = {
      "Slope of log(square) over log(T), least squares: O(1/√T) is -0.5. λ = 0 is the straight-through "
      "estimator."};
  return table;
}

}  // namespace detent::quadratic
