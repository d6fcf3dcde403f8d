#include "detent/report/run_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "detent/report/svg.h"

namespace detent::report {

namespace {

constexpr size_t kSmoothPoints = 120;  // a noisy curve is shown as that many window means

struct ChartRow {
  const char *kind, *key, *title, *unit;
  bool logarithmic, noisy, falls;  // falls: its first fifth may leave the frame at the top
};

constexpr ChartRow kCharts[] = {
    {"eval", "validation_loss", "Validation loss", "nats a token", false, false, true},
    {"train", "loss", "Training loss", "nats a token", false, true, true},
    {"train", "lr", "Learning rate", "", false, false, false},
    {"train", "grad_norm", "Gradient norm", "before clipping", true, true, false},
    {"train", "moving_codes", "Moving codes", "share changed", false, true, false},
    {"train", "distance_to_grid", "Distance to the grid", "‖W − Q(W)‖ / ‖W‖", false, false, false},
    {"train", "pareto_distance", "Pareto distance", "‖∇f(Q) + λ(W − Q)‖", true, true, false},
    {"train", "lambda_t", "CAGE strength", "λ at step t", false, false, false},
    {"train", "pull", "CAGE pull", "against Adam's unit step", false, false, false},
    {"train", "alpha", "Alpha", "share of Q(W) in the forward", false, false, false},
    {"train", "tokens_per_second", "Speed", "tokens a second", false, true, false},
    {"train", "speed_of_light", "Speed of light", "least time of a step / its time", false, true, false},
};

size_t window_for(const std::vector<LabelledRun>& runs, const ChartRow& row) {
  size_t longest = 0;
  for (const LabelledRun& run : runs) longest = std::max(longest, run.log->curve(row.kind, row.key).x.size());
  return row.noisy ? std::max<size_t>(1, longest / kSmoothPoints) : 1;
}

// Early losses are several times what matters later: the frame ends at the highest value after the first fifth.
std::optional<double> highest_after_start(const std::vector<Curve>& curves) {
  double highest = -1e308, highest_of_all = -1e308, lowest = 1e308, last = 0;
  for (const Curve& curve : curves) last = std::max(last, curve.points.x.back());
  for (const Curve& curve : curves)
    for (size_t i = 0; i < curve.points.x.size(); ++i) {
      const double y = curve.points.y[i];
      if (!std::isfinite(y)) continue;
      if (curve.points.x[i] >= 0.2 * last) highest = std::max(highest, y);
      highest_of_all = std::max(highest_of_all, y), lowest = std::min(lowest, y);
    }
  const double air = 0.05 * (highest - lowest);
  if (highest <= lowest || highest_of_all - lowest < 1.5 * (highest - lowest)) return std::nullopt;
  return highest + air;
}

std::string run_chart(const std::vector<LabelledRun>& runs, const ChartRow& row) {
  LineChart chart;
  chart.title = row.title;
  chart.x.label = "step";
  chart.y.label = row.unit;
  chart.y.logarithmic = row.logarithmic;
  const size_t window = window_for(runs, row);
  for (const LabelledRun& run : runs) {
    const Points& points = run.log->curve(row.kind, row.key);
    if (!points.empty()) chart.curves.push_back({run.label, window_means(points, window), run.colour});
  }
  if (chart.curves.empty()) return "";
  if (window > 1) chart.note = fmt::format("Means over {} records.", window);
  if (row.falls) chart.y.high = highest_after_start(chart.curves);
  if (chart.y.high) chart.note += " The first fifth of the steps lies partly above the frame.";
  return draw(chart);
}

DotChart loss_chart(const Comparison& comparison) {
  DotChart chart;
  chart.title = "Validation loss";
  chart.x.label = "nats a token";
  chart.note = "Mean, standard deviation and the single seeds.";
  for (size_t i = 0; i < comparison.rows.size(); ++i) {
    const ArmRow& row = comparison.rows[i];
    chart.rows.push_back({row.label, row.loss.mean, row.loss.deviation, values_of(row.losses), static_cast<int>(i)});
  }
  return chart;
}

DotChart difference_chart(const Comparison& comparison) {
  DotChart chart;
  chart.title = "Against the baseline";
  chart.x.label = "nats, paired by seed";
  chart.reference = 0;
  chart.note = "Left of the line is better. Bars: the 95% interval of the mean (Student's t); single seeds have none.";
  for (size_t i = 0; i < comparison.rows.size(); ++i) {
    const ArmRow& row = comparison.rows[i];
    const ArmRow* baseline = comparison.find(Role::kBaseline, row.bits);
    if (row.role != Role::kArm || !baseline) continue;
    chart.rows.push_back({row.label, row.difference.n ? row.difference.mean : ArmRun::kUnknown,
                          row.difference.half_interval(), paired_differences(row.losses, baseline->losses),
                          static_cast<int>(i)});
  }
  return chart;
}

}  // namespace

Points window_means(const Points& points, size_t window) {
  if (window <= 1) return points;
  Points out;
  for (size_t begin = 0; begin < points.x.size(); begin += window) {
    const size_t end = std::min(begin + window, points.x.size());
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += points.y[i];
    out.add(points.x[end - 1], sum / static_cast<double>(end - begin));
  }
  return out;
}

std::vector<std::string> run_charts(const std::vector<LabelledRun>& runs) {
  std::vector<std::string> out;
  for (const ChartRow& row : kCharts)
    if (const std::string svg = run_chart(runs, row); !svg.empty()) out.push_back(svg);
  return out;
}

std::vector<std::string> comparison_charts(const Comparison& comparison) {
  std::vector<std::string> out{draw(loss_chart(comparison))};
  if (const DotChart differences = difference_chart(comparison); !differences.rows.empty())
    out.push_back(draw(differences));
  return out;
}

}  // namespace detent::report
