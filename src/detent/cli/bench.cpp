#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>

#include "detent/base/error.h"
#include "detent/cli/bench_print.h"
#include "detent/cli/commands.h"
#include "detent/kernels/int_gemm/int_gemm.h"
#include "detent/train/composite_bench.h"
#include "detent/train/peaks.h"

namespace detent::cli {

namespace {

struct Arguments {
  std::vector<std::string> names, sizes;
  StepBenchOptions steps;
  std::string plot;
  bool quick = false, json = false, given_shape = false;
  bool wants(const std::string& group) const {
    return names.empty() || std::find(names.begin(), names.end(), group) != names.end();
  }
};

// "4096" or "1000x1056"
kernels::BenchSize parse_size(const std::string& text) {
  const size_t cross = text.find('x');
  const auto number = [&](const std::string& part) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc() || end != part.data() + part.size() || value < 1 || value > 16384)
      fail("--size {}: write ROWSxCOLUMNS or one number for both, each from 1 to 16384", text);
    return value;
  };
  if (cross == std::string::npos) return {number(text), number(text)};
  return {number(text.substr(0, cross)), number(text.substr(cross + 1))};
}

std::vector<kernels::BenchSize> sizes_of(const Arguments& arguments) {
  if (arguments.quick) return {{64, 512}};
  if (arguments.sizes.empty()) return {{}};
  std::vector<kernels::BenchSize> sizes;
  for (const std::string& text : arguments.sizes) sizes.push_back(parse_size(text));
  return sizes;
}

void check_arguments(Arguments& arguments) {
  if (!arguments.wants("steps") &&
      (arguments.given_shape || !arguments.steps.arms.empty() || arguments.steps.rounds > 0))
    fail("--shape, --arm and --rounds are of steps; name steps, or leave them out");
  if (arguments.quick && arguments.given_shape) fail("--quick has a shape of its own; leave --shape out");
  if (arguments.quick) arguments.steps.shape = "quick";
  const bool sized = arguments.wants("kernels") || arguments.wants("composites") || arguments.wants("products");
  if (!arguments.sizes.empty() && (arguments.quick || !sized))
    fail("--size is of kernels, composites and products, without --quick; leave it out");
  if (arguments.wants("kernels"))
    for (const kernels::BenchSize& size : sizes_of(arguments))
      if (size.columns % 128 != 0)
        fail("--size {} of kernels must have a multiple of 128 columns, the rotation's block", size.name());
  if (!arguments.plot.empty() && !arguments.wants("scaling"))
    fail("--plot is of scaling; name scaling, or leave it out");
}

int run(Arguments arguments) {
  check_arguments(arguments);
  const std::vector<kernels::BenchSize> sizes = sizes_of(arguments);
  nlohmann::json all = nlohmann::json::array();
  const auto show = [&](const auto& rows, auto... title) {
    for (const auto& row : rows) all.push_back(row_json(row));
    if (!arguments.json) print_rows(rows, title...);
  };
  if (arguments.wants("kernels"))
    for (const kernels::BenchSize& size : sizes) show(kernels::bench_kernels(arguments.quick, size), "kernels");
  if (arguments.wants("composites")) show(bench_composites(sizes, arguments.quick), "against ATen");
  if (arguments.wants("products"))
    show(bench_products(arguments.sizes.empty() ? std::vector<kernels::BenchSize>() : sizes, arguments.sizes.empty(),
                        arguments.quick),
         "products");
  if (arguments.wants("steps")) show(bench_steps(arguments.steps));
  if (arguments.wants("scaling")) {
    const std::vector<ScalingRow> rows = bench_scaling(arguments.quick);
    show(rows);
    if (!arguments.plot.empty()) plot_scaling(rows, arguments.plot);
  }
  if (arguments.json) {
    const Peaks peaks = measure_peaks();
    print_json({{"machine",
                 {{"kernels", kernels::dispatch_target()},
                  {"integer_products", kernels::int_gemm_unit()},
                  {"matrix_products", at::get_cpu_capability()},
                  {"float_peak", peaks.floats},
                  {"integer_peak", peaks.integers},
                  {"bandwidth", peaks.bytes},
                  {"threads", at::get_num_threads()}}},
                {"benchmarks", all}});
  }
  return 0;
}

}  // namespace

Action add_bench(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option(
         "NAME", a->names,
         "kernels, composites (ours against ATen), products (of codes, against float32), steps, scaling (cost of a "
         "step over tokens and parameters); default: all")
      ->check(CLI::IsMember({"kernels", "composites", "products", "steps", "scaling"}));
  app.add_option("--shape", a->steps.shape, "of the model in steps: tiny (default) or small")
      ->check(CLI::IsMember({"tiny", "small"}))
      ->each([a](const std::string&) { a->given_shape = true; });
  app.add_option("--arm", a->steps.arms, "steps of these alone; may be repeated; default: all")
      ->check(CLI::IsMember(step_bench_arms()));
  app.add_option("--rounds", a->steps.rounds, "of steps: how many of each arm; default: 5 (small) or 11")
      ->check(CLI::Range(1, 1000));
  app.add_option(
      "--size", a->sizes,
      "of kernels, composites and products: ROWSxCOLUMNS, or one number for both; may be repeated; default: 2048");
  app.add_option("--plot", a->plot, "of scaling: draw it into this SVG file");
  app.add_flag("--quick", a->quick, "small shapes, few repeats");
  app.add_flag("--json", a->json, "print JSON");
  app.footer("Example:\n  detent bench steps --shape small --arm fp32 --arm quest_w4a4_half");
  return [a] { return run(*a); };
}

}  // namespace detent::cli
