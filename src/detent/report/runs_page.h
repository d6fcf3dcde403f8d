// The page of `detent report`: comparisons, curves of every run, and what was configured.
#pragma once
#include <string>
#include <vector>

#include "detent/report/comparison.h"
#include "detent/report/run_log.h"

namespace detent::report {

struct Report {
  std::string title = "detent report", subtitle;
  std::vector<Comparison> comparisons;
  std::vector<RunLog> runs;  // those that belong to no comparison
};

// Each path is a run directory, an arms.json, a folder with an arms.json in it, or a folder of run directories.
// Fails on a path that is none of these.
Report load_report(const std::vector<std::string>& paths);
std::string report_html(const Report& report);

}  // namespace detent::report
