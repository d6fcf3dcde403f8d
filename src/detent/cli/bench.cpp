#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "detent/base/error.h"
#include "detent/base/progress.h"
#include "detent/cli/commands.h"
#include "detent/kernels/harness/bench.h"
#include "detent/train/composite_bench.h"
#include "detent/train/step_bench.h"

namespace detent::cli {

namespace {

constexpr int64_t kKernelSize = 2048;

struct Arguments {
  std::vector<std::string> names;
  StepBenchOptions steps;
  int64_t size = kKernelSize;
  bool quick = false, json = false, given_shape = false;
  bool wants(const std::string& group) const {
    return names.empty() || std::find(names.begin(), names.end(), group) != names.end();
  }
};

nlohmann::json row_json(const kernels::BenchRow& r) {
  return {{"name", r.name},     {"shape", r.shape},       {"threads", r.threads},   {"seconds", r.seconds},
          {"copies", r.copies}, {"gb_per_s", r.gb_per_s}, {"baseline", r.baseline}, {"ratio", r.ratio}};
}
nlohmann::json row_json(const StepBenchRow& r) {
  return {{"name", r.name},         {"shape", r.shape},       {"threads", r.threads},     {"seconds", r.seconds},
          {"forward", r.forward},   {"backward", r.backward}, {"optimizer", r.optimizer}, {"peak_bytes", r.peak_bytes},
          {"baseline", r.baseline}, {"ratio", r.ratio}};
}

void print_kernels(const std::vector<kernels::BenchRow>& rows, const char* title) {
  fmt::print(
      "\n{} ({}, {} thread(s)); copies: time of copying the same tensor, in the same run\n{:<46} {:>16} {:>10} {:>8} "
      "{:>8}  {}\n",
      title, kernels::dispatch_target(), rows.empty() ? 1 : rows[0].threads, "kernel", "shape", "ms", "copies", "GB/s",
      "times faster than");
  for (const auto& r : rows)
    fmt::print("{:<46} {:>16} {:>10.3f} {:>8.2f} {:>8.1f}  {}\n", r.name, r.shape, 1e3 * r.seconds, r.copies,
               r.gb_per_s, r.baseline.empty() ? "" : fmt::format("{:.1f} {}", r.ratio, r.baseline));
}

void print_steps(const std::vector<StepBenchRow>& rows) {
  fmt::print(
      "\nsteps ({}, {} threads); ratio: median of pairs taken in turn; backward: with the output layer and its "
      "loss\n{:<24} {:>9} {:>8} {:>9} {:>9} {:>10} {:>10}\n",
      rows.empty() ? "" : rows[0].shape, at::get_num_threads(), "", "ms", "ratio", "forward", "backward", "optimizer",
      "peak");
  for (const auto& r : rows)
    fmt::print("{:<24} {:>9.1f} {:>8.2f} {:>9.1f} {:>9.1f} {:>10.1f} {:>10}\n", r.name, 1e3 * r.seconds, r.ratio,
               1e3 * r.forward, 1e3 * r.backward, 1e3 * r.optimizer,
               r.peak_bytes > 0 ? format_bytes(r.peak_bytes) : "");
}

int run(Arguments arguments) {
  if (!arguments.wants("steps") && (arguments.given_shape || !arguments.steps.arms.empty()))
    fail("--shape and --arm are of steps; name steps, or leave them out");
  if (arguments.quick && arguments.given_shape) fail("--quick has a shape of its own; leave --shape out");
  if (arguments.quick) arguments.steps.shape = "quick";
  if (arguments.size != kKernelSize && (arguments.quick || !arguments.wants("kernels")))
    fail("--size is of kernels, without --quick; leave it out");
  if (arguments.size % 128 != 0) fail("--size must be a multiple of 128, the rotation's block; got {}", arguments.size);
  nlohmann::json all = nlohmann::json::array();
  if (arguments.wants("kernels")) {
    const auto rows = kernels::bench_kernels(arguments.quick, arguments.size);
    for (const auto& row : rows) all.push_back(row_json(row));
    if (!arguments.json) print_kernels(rows, "kernels");
  }
  if (arguments.wants("composites")) {
    const auto rows = bench_composites(arguments.quick);
    for (const auto& row : rows) all.push_back(row_json(row));
    if (!arguments.json) print_kernels(rows, "against ATen");
  }
  if (arguments.wants("steps")) {
    const auto rows = bench_steps(arguments.steps);
    for (const auto& row : rows) all.push_back(row_json(row));
    if (!arguments.json) print_steps(rows);
  }
  if (arguments.json)
    print_json({{"machine",
                 {{"kernels", kernels::dispatch_target()},
                  {"matrix_products", at::get_cpu_capability()},
                  {"threads", at::get_num_threads()}}},
                {"benchmarks", all}});
  return 0;
}

}  // namespace

Action add_bench(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("NAME", a->names, "kernels, composites (ours against ATen), steps; default: all")
      ->check(CLI::IsMember({"kernels", "composites", "steps"}));
  app.add_option("--shape", a->steps.shape, "of the model in steps: tiny (default) or small")
      ->check(CLI::IsMember({"tiny", "small"}))
      ->each([a](const std::string&) { a->given_shape = true; });
  app.add_option("--arm", a->steps.arms, "steps of these alone; may be repeated; default: all")
      ->check(CLI::IsMember(step_bench_arms()));
  app.add_option("--size", a->size, "of kernels: rows and columns of the matrix, a multiple of 128; default: 2048")
      ->check(CLI::Range(int64_t{128}, int64_t{16384}));
  app.add_flag("--quick", a->quick, "small shapes, few repeats");
  app.add_flag("--json", a->json, "print JSON");
  app.footer("Example:\n  detent bench steps --shape small --arm fp32 --arm quest_w4a4");
  return [a] { return run(*a); };
}

}  // namespace detent::cli
