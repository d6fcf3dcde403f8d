#include "detent/report/runs_page.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "detent/base/error.h"
#include "detent/report/html.h"
#include "detent/report/run_charts.h"
#include "detent/report/svg.h"
#include "detent/report/text.h"

namespace detent::report {

namespace fs = std::filesystem;

namespace {

std::vector<LabelledRun> labelled_runs(const Report& report) {
  std::vector<LabelledRun> out;
  int colours = 0;
  for (const Comparison& comparison : report.comparisons) {
    for (const ArmRun& run : comparison.runs)
      if (run.log) {
        const size_t place = comparison.place_of(run);
        out.push_back({comparison.rows[place].label, colours + static_cast<int>(place), &*run.log});
      }
    colours += static_cast<int>(comparison.rows.size());
  }
  for (const RunLog& run : report.runs) out.push_back({run.name, colours++, &run});
  return out;
}

Table run_table(const std::vector<RunLog>& runs) {
  Table table;
  table.columns = {{"run", false}, {"steps"},   {"train loss"}, {"validation loss"}, {"bits/byte"},
                   {"tokens/s"},   {"seconds"}, {"parameters"}, {"note", false}};
  for (const RunLog& run : runs)
    table.rows.push_back({run.name, std::to_string(run.last_step), fixed(run.final_value("final_loss"), 4),
                          fixed(run.result("validation_loss"), 4), fixed(run.result("bits_per_byte"), 4),
                          count(run.final_value("tokens_per_second")), fixed(run.final_value("seconds"), 1),
                          count(run.final_value("parameters")),
                          run.finished() ? "" : fmt::format("unfinished{}", run.torn ? ", last line cut off" : "")});
  return table;
}

// The keys in which the configs of the runs differ, one row a run.
Table difference_table(const std::vector<LabelledRun>& runs) {
  std::vector<std::map<std::string, std::string>> configs;
  std::vector<std::string> keys;
  for (const LabelledRun& run : runs) {
    configs.emplace_back();
    for (const auto& [key, value] : flatten(run.log->config)) {
      configs.back()[key] = value;
      if (key != "output" && std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  Table table;
  table.columns = {{"run", false}};
  for (size_t i = 0; i < runs.size(); ++i) table.rows.push_back({runs[i].log->name});
  for (const std::string& key : keys) {
    std::vector<std::string> values;
    for (const auto& config : configs) values.push_back(config.count(key) ? config.at(key) : kNoValue);
    if (std::all_of(values.begin(), values.end(), [&](const auto& value) { return value == values[0]; })) continue;
    table.columns.push_back({key});
    for (size_t i = 0; i < runs.size(); ++i) table.rows[i].push_back(values[i]);
  }
  return table;
}

void add_comparison(const Comparison& comparison, Page& page) {
  page.key_sentences(findings(comparison));
  page.heading("Arms");
  page.table(comparison_table(comparison));
  page.charts(comparison_charts(comparison));
}

void add_path(const fs::path& path, Report& report) {
  if (fs::is_regular_file(path)) return report.comparisons.push_back(load_comparison(path.string())), void();
  if (!fs::is_directory(path)) fail("{}: no such file or folder", path.string());
  if (fs::exists(path / "arms.json"))
    return report.comparisons.push_back(load_comparison((path / "arms.json").string())), void();
  if (fs::exists(path / "log.jsonl")) return report.runs.push_back(load_run(path.string())), void();
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(path))
    if (fs::exists(entry.path() / "log.jsonl")) found.push_back(entry.path());
  if (found.empty())
    fail("{}: neither a run directory (log.jsonl), nor a comparison (arms.json), nor a folder of runs", path.string());
  std::sort(found.begin(), found.end());
  for (const fs::path& run : found) report.runs.push_back(load_run(run.string()));
}

}  // namespace

Report load_report(const std::vector<std::string>& paths) {
  if (paths.empty()) fail("nothing to report on; name run directories or an arms.json");
  Report report;
  for (const std::string& path : paths) add_path(path, report);
  return report;
}

std::string report_html(const Report& report) {
  const std::vector<LabelledRun> runs = labelled_runs(report);
  Page page(report.title, report.subtitle);
  for (const Comparison& comparison : report.comparisons) add_comparison(comparison, page);
  if (!report.runs.empty()) {
    page.heading("Runs");
    page.table(run_table(report.runs));
  }
  if (!runs.empty()) {
    page.heading("Curves");
    page.charts(run_charts(runs));
  }
  if (const Table differences = difference_table(runs); runs.size() > 1 && differences.columns.size() > 1) {
    page.heading("What differs between the runs");
    page.table(differences);
  }
  if (!runs.empty()) page.heading("Resolved configurations");
  for (const LabelledRun& run : runs) page.folded(run.log->name + " — " + run.log->directory, run.log->config_text);
  return page.html();
}

}  // namespace detent::report
