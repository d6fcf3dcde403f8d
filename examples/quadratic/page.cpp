#include "quadratic/page.h"

#include <fmt/format.h>

#include <cmath>

#include "detent/report/html.h"
#include "detent/report/svg.h"

namespace detent::quadratic {

namespace {

std::string panel_title(const Panel& panel) {
  return fmt::format("Condition number {:g}, {} gradients", panel.condition, panel.noise > 0 ? "noisy" : "exact");
}

std::string dots(const Panel& panel) {
  report::DotChart chart;
  chart.title = panel_title(panel);
  chart.x.logarithmic = true;
  chart.reference = 1;
  for (size_t i = 0; i < panel.arms.size(); ++i) {
    const report::Sample sample = report::describe(panel.arms[i].ratios);
    chart.rows.push_back({panel.arms[i].arm.name(), sample.mean, sample.deviation, panel.arms[i].ratios,
                          static_cast<int>(i / 2)});  // a method keeps its colour, annealed or not
  }
  return draw(chart);
}

std::string trajectories(const Results& results, const Panel& panel) {
  report::LineChart chart;
  chart.title = panel_title(panel);
  chart.x.label = "step";
  chart.y = {"f(Q(x)) / f(Q(x*))", true, {}, {}};
  chart.note = "SGD, seed 0.";
  for (const Tuned& tuned :
       {panel.find(Optimizer::kSgd, Correction::kNone, false), panel.find(Optimizer::kSgd, Correction::kNone, true),
        panel.find(Optimizer::kSgd, Correction::kCoupled, false)})
    chart.curves.push_back({tuned.arm.name(), trajectory(panel, tuned, results.budget), -1, false});
  return draw(chart);
}

double mean_ratio(const Panel& panel, Optimizer optimizer, Correction correction, bool annealed) {
  return report::describe(panel.find(optimizer, correction, annealed).ratios).mean;
}

// "1.00, 0.75 and 0.52"
std::string over_conditions(const Results& results, double noise, Optimizer optimizer, Correction correction,
                            bool annealed) {
  std::vector<std::string> values;
  for (const Panel& panel : results.panels)
    if (panel.noise == noise)
      values.push_back(fmt::format("{:.2f}", mean_ratio(panel, optimizer, correction, annealed)));
  const std::string last = values.back();
  values.pop_back();
  return fmt::format("{} and {}", fmt::join(values, ", "), last);
}

std::string sentence(const Results& results, double noise, Optimizer optimizer) {
  const auto at = [&](Correction correction, bool annealed) {
    return over_conditions(results, noise, optimizer, correction, annealed);
  };
  return fmt::format(
      "{} with {} gradients, condition numbers 1, 10 and 100: straight-through ends at {} times what rounding gives "
      "with "
      "a constant rate, at {} annealed; CAGE coupled at {}, decoupled at {} (both constant).",
      optimizer == Optimizer::kSgd ? "SGD" : "Adam", noise > 0 ? "noisy" : "exact", at(Correction::kNone, false),
      at(Correction::kNone, true), at(Correction::kCoupled, false), at(Correction::kDecoupled, false));
}

std::vector<std::string> sentences(const Results& results) {
  std::vector<std::string> out;
  for (const double noise : kNoises)
    for (const Optimizer optimizer : {Optimizer::kSgd, Optimizer::kAdam})
      out.push_back(sentence(results, noise, optimizer));
  std::vector<std::string> slopes;
  for (const ParetoCurve& curve : results.pareto)
    slopes.push_back(fmt::format("{:+.2f} at λ = {:g}", curve.slope, curve.lambda));
  out.push_back(
      fmt::format("Over the length T of a run the mean squared Pareto distance goes with T to the power {}; "
                  "the theorem's power is -0.50.",
                  fmt::join(slopes, ", ")));
  return out;
}

}  // namespace

std::string pareto_chart(const Results& results) {
  report::LineChart chart;
  chart.title = "Pareto distance, squared";
  chart.x = {"steps of the run, T", true, {}, {}};
  chart.y = {"mean over the run", true, {}, {}};
  chart.dots = true;
  for (const ParetoCurve& curve : results.pareto)
    chart.curves.push_back(
        {fmt::format("λ = {:g} (slope {:.2f})", curve.lambda, curve.slope), curve.squares, -1, false});
  const report::Points& middle = results.pareto[2].squares;
  report::Points guide;
  for (const double steps : middle.x) guide.add(steps, 0.8 * middle.y[0] * std::sqrt(middle.x[0] / steps));
  chart.curves.push_back({"1/√T", guide, 7, true});
  return draw(chart);
}

std::string page_html(const Results& results) {
  report::Page page("Training onto a 4-bit grid: quadratics",
                    fmt::format("{} unknowns, {} steps, {} seeds; computed in {:.1f} s", kSize, results.budget.steps,
                                results.budget.seeds, results.seconds));
  page.key_sentences(sentences(results));
  page.heading("Where every arm ends");
  page.table(ratio_table(results));
  page.table(difference_table(results));
  std::vector<std::string> charts;
  for (const Panel& panel : results.panels) charts.push_back(dots(panel));
  page.charts(charts);
  page.heading("On the way there");
  charts.clear();
  for (const Panel& panel : results.panels) charts.push_back(trajectories(results, panel));
  page.charts(charts);
  page.heading("The Pareto distance");
  page.table(pareto_table(results));
  page.charts({pareto_chart(results)});
  page.folded("What tuning chose", settings_table(results).text());
  return page.html();
}

}  // namespace detent::quadratic
