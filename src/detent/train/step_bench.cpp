#include "detent/train/step_bench.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <fstream>

#include "detent/base/machine.h"
#include "detent/train/peaks.h"

namespace detent {

namespace {

// The kernel counts the highest resident size since this was last written to.
void reset_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }
double peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return 1024.0 * std::stod(line.substr(6));
  return 0;
}

struct Samples {
  std::vector<StepTimes> steps;
  std::vector<double> evaluation;
  double peak = 0;

  double median(double StepTimes::*part) const {
    std::vector<double> values;
    for (const StepTimes& times : steps) values.push_back(times.*part);
    return median_of(std::move(values));
  }
  std::vector<double> totals() const {
    std::vector<double> values;
    for (const StepTimes& times : steps) values.push_back(times.total());
    return values;
  }
};

// Of pairs from one round.
double median_ratio(const std::vector<double>& taken, const std::vector<double>& baseline) {
  std::vector<double> ratios;
  for (size_t i = 0; i < taken.size(); ++i) ratios.push_back(taken[i] / baseline[i]);
  return median_of(std::move(ratios));
}

void take_step(Samples& into, BenchArm& arm) {
  reset_peak();
  into.steps.push_back(arm.step());
  into.peak = std::max(into.peak, peak_bytes());
}

void take_evaluation(Samples& into, BenchArm& arm) { into.evaluation.push_back(arm.evaluation()); }

// What is left of the peak belongs to activations and to what operations make for a moment.
std::map<std::string, double> owners(BenchArm& arm, double peak, double program) {
  const HeldBytes held = arm.held();
  return {
      {"program", program},
      {"weights", held.weights},
      {"gradients", held.gradients},
      {"optimizer", held.optimizer},
      {"activations and temporaries", std::max(0.0, peak - program - held.weights - held.gradients - held.optimizer)}};
}

StepBenchRow step_row(BenchArm& arm, const Samples& samples, const Peaks& peaks) {
  StepBenchRow row;
  row.seconds = median_of(samples.totals());
  for (double StepTimes::*part :
       {&StepTimes::forward, &StepTimes::output, &StepTimes::backward, &StepTimes::norm, &StepTimes::optimizer})
    row.parts.*part = samples.median(part);
  row.operations = arm.step_by_operation();
  row.share = least_seconds(arm.work(), peaks) / row.seconds;
  row.peak_bytes = samples.peak;
  return row;
}

}  // namespace

const std::vector<std::string>& step_bench_arms() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const ArmKind& kind : arm_kinds()) all.push_back(kind.name);
    return all;
  }();
  return names;
}

std::vector<StepBenchRow> bench_steps(const StepBenchOptions& options) {
  const double program = resident_bytes();
  const StepShape size = step_shape(options.shape);
  std::vector<std::string> names;
  std::vector<std::unique_ptr<BenchArm>> arms;
  for (const ArmKind& kind : arm_kinds()) {
    if (!options.arms.empty() && std::ranges::find(options.arms, kind.name) == options.arms.end()) continue;
    names.push_back(kind.name);
    arms.push_back(std::make_unique<BenchArm>(kind, size));
  }
  std::vector<Samples> samples(arms.size());
  const int by_shape = options.shape == "quick" ? 2 : options.shape == "small" ? 5 : 11;
  const int rounds = options.rounds > 0 ? options.rounds : by_shape;
  // First all steps, as in training, where memory of the one before fits the next.
  for (const auto take : {take_step, take_evaluation})
    for (int round = -1; round < rounds; ++round)
      for (size_t i = 0; i < arms.size(); ++i) {
        Samples warm_up;
        take(round < 0 ? warm_up : samples[i], *arms[i]);
      }
  const Peaks peaks = measure_peaks();
  std::vector<StepBenchRow> table;
  const auto add = [&](StepBenchRow row, const std::string& what, size_t i, double ratio) {
    row.name = what + names[i];
    row.shape = size.name();
    row.threads = at::get_num_threads();
    row.baseline = i == 0 ? "" : what + names[0];
    row.ratio = ratio;
    table.push_back(std::move(row));
  };
  for (size_t i = 0; i < arms.size(); ++i) {
    StepBenchRow step = step_row(*arms[i], samples[i], peaks);
    if (arms.size() == 1) step.owners = owners(*arms[i], step.peak_bytes, program);
    add(std::move(step), "step ", i, median_ratio(samples[i].totals(), samples[0].totals()));
    StepBenchRow evaluation;
    evaluation.seconds = median_of(samples[i].evaluation);
    add(std::move(evaluation), "evaluation ", i, median_ratio(samples[i].evaluation, samples[0].evaluation));
  }
  return table;
}

}  // namespace detent
