// The charts of runs: one curve of the log each, all runs in it; and the dots of a comparison.
#pragma once
#include <string>
#include <vector>

#include "detent/report/comparison.h"
#include "detent/report/run_log.h"

namespace detent::report {

struct LabelledRun {
  std::string label;  // runs with one label are one entry of the legend: the seeds of an arm
  int colour;         // the label's slot, the same in every chart, also where other runs have nothing to show
  const RunLog* log;
};

// The mean of every `window` consecutive points, at the last one's x; the rest at the end is a shorter window.
Points window_means(const Points& points, size_t window);

// A chart for every key that some run logged; a key that no run logged has none.
std::vector<std::string> run_charts(const std::vector<LabelledRun>& runs);
std::vector<std::string> comparison_charts(const Comparison& comparison);

}  // namespace detent::report
