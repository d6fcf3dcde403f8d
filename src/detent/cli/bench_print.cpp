#include "detent/cli/bench_print.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "detent/base/progress.h"
#include "detent/report/run_log.h"
#include "detent/report/svg.h"

namespace detent::cli {

namespace {

constexpr std::pair<const char*, double StepTimes::*> kParts[] = {{"forward", &StepTimes::forward},
                                                                  {"output", &StepTimes::output},
                                                                  {"backward", &StepTimes::backward},
                                                                  {"norm", &StepTimes::norm},
                                                                  {"optimizer", &StepTimes::optimizer}};

void print_list(const char* what, const std::map<std::string, double>& values, const auto& spell) {
  if (values.empty()) return;
  fmt::print("    {}:", what);
  const char* separator = " ";
  for (const auto& [name, value] : values) {
    fmt::print("{}{} {}", separator, name, spell(value));
    separator = ", ";
  }
  fmt::print("\n");
}

}  // namespace

nlohmann::json row_json(const kernels::BenchRow& r) {
  nlohmann::json json = {
      {"name", r.name},     {"shape", r.shape},       {"threads", r.threads},         {"seconds", r.seconds},
      {"copies", r.copies}, {"gb_per_s", r.gb_per_s}, {"fraction_of_floor", r.share}, {"baseline", r.baseline},
      {"ratio", r.ratio}};
  if (r.high > 0) json.update({{"low", r.low}, {"high", r.high}});
  if (r.baseline_share > 0) json["baseline_fraction_of_floor"] = r.baseline_share;
  return json;
}

nlohmann::json row_json(const StepBenchRow& r) {
  nlohmann::json json = {{"name", r.name},       {"shape", r.shape},       {"threads", r.threads},
                         {"seconds", r.seconds}, {"baseline", r.baseline}, {"ratio", r.ratio}};
  if (r.operations.empty()) return json;  // an evaluation
  for (const auto& [name, part] : kParts) json[name] = r.parts.*part;
  json.update({{"operations", r.operations}, {"peak_bytes", r.peak_bytes}, {"fraction_of_floor", r.share}});
  if (!r.owners.empty()) json["owners"] = r.owners;
  return json;
}

nlohmann::json row_json(const ScalingRow& r) {
  return {{"name", "step " + r.arm + " over " + r.over},
          {"size", r.size},
          {"seconds", r.seconds},
          {"threads", at::get_num_threads()},
          {"exponent", r.exponent}};
}

void print_rows(const std::vector<kernels::BenchRow>& rows, const char* title) {
  fmt::print(
      "\n{} ({}, {} thread(s)); copies: time of copying the same tensor, in the same run; floor: share of the "
      "bandwidth of\n"
      "those copies, of products the share of the measured peak of their instructions, and that of the baseline\n"
      "{:<46} {:>16} {:>10} {:>8} {:>8} {:>12}  {}\n",
      title, kernels::dispatch_target(), rows.empty() ? 1 : rows[0].threads, "", "shape", "ms", "copies", "GB/s",
      "floor", "times faster than");
  for (const auto& r : rows) {
    const std::string floor = r.baseline_share > 0
                                  ? fmt::format("{:.0f} %, {:.0f} %", 100 * r.share, 100 * r.baseline_share)
                                  : fmt::format("{:.0f} %", 100 * r.share);
    const std::string pairs = r.high > 0 ? fmt::format(" ({:.1f}-{:.1f})", r.low, r.high) : "";
    fmt::print("{:<46} {:>16} {:>10.3f} {:>8.2f} {:>8.1f} {:>12}  {:.1f}{} {}\n", r.name, r.shape, 1e3 * r.seconds,
               r.copies, r.gb_per_s, floor, r.ratio, pairs, r.baseline);
  }
}

void print_rows(const std::vector<StepBenchRow>& rows) {
  fmt::print(
      "\nsteps ({}, {} threads); ratio: median of pairs taken in turn; output: the output layer and its loss, both "
      "ways;\n"
      "floor: the least time that its products and bytes could take here, as a share\n{:<26} {:>9} {:>7}",
      rows.empty() ? "" : rows[0].shape, at::get_num_threads(), "", "ms", "ratio");
  for (const auto& [name, part] : kParts) fmt::print(" {:>9}", name);
  fmt::print(" {:>6} {:>10}\n", "floor", "peak");
  for (const auto& r : rows) {
    fmt::print("{:<26} {:>9.1f} {:>7.2f}", r.name, 1e3 * r.seconds, r.ratio);
    if (!r.operations.empty()) {
      for (const auto& [name, part] : kParts) fmt::print(" {:>9.1f}", 1e3 * (r.parts.*part));
      fmt::print(" {:>4.0f} % {:>10}", 100 * r.share, format_bytes(r.peak_bytes));
    }
    fmt::print("\n");
    print_list("ms by operation", r.operations, [](double s) { return fmt::format("{:.1f}", 1e3 * s); });
    print_list("peak memory", r.owners, [](double bytes) { return format_bytes(bytes); });
  }
}

void print_rows(const std::vector<ScalingRow>& rows) {
  fmt::print("\ncost of a step ({} threads); exponent: of the line through the logarithms, 1 is linear\n",
             at::get_num_threads());
  for (const auto& r : rows) {
    fmt::print("{:<18} over {:<11} exponent {:.2f}:", r.arm, r.over, r.exponent);
    for (size_t i = 0; i < r.size.size(); ++i) fmt::print("  {:.0f}: {:.1f} ms", r.size[i], 1e3 * r.seconds[i]);
    fmt::print("\n");
  }
}

void plot_scaling(const std::vector<ScalingRow>& rows, const std::string& path) {
  report::LineChart chart;
  chart.title = "Cost of a training step";
  chart.x = {"tokens of a batch, or parameters of the model", true, {}, {}};
  chart.y = {"ms", true, {}, {}};
  chart.dots = true;
  for (const ScalingRow& r : rows) {
    report::Curve curve{fmt::format("{}, {}", r.arm, r.over), {}};
    for (size_t i = 0; i < r.size.size(); ++i) curve.points.add(r.size[i], 1e3 * r.seconds[i]);
    chart.curves.push_back(std::move(curve));
  }
  report::write_text(path, report::standalone(draw(chart)));
}

}  // namespace detent::cli
