// detent_quadratic: straight-through training and CAGE on quadratics over a 4-bit grid (docs/quadratic.md).
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "detent/base/error.h"
#include "detent/report/svg.h"
#include "quadratic/page.h"

namespace {

using namespace detent;
using namespace detent::quadratic;

struct Arguments {
  bool quick = false, help = false;
  std::string out = "quadratic";
};

constexpr const char* kHelp =
    "detent_quadratic [--out DIR] [--quick]\n"
    "Trains 64 unknowns onto a 4-bit grid with SGD and Adam, straight-through and CAGE, and writes DIR/quadratic.html\n"
    "and DIR/pareto.svg (DIR: quadratic). --quick: a short run that only shows that the program works.\n"
    "Example: detent_quadratic --out results\n";

Arguments parse(int count, char** values) {
  Arguments out;
  for (int i = 1; i < count; ++i) {
    const std::string argument = values[i];
    if (argument == "--quick")
      out.quick = true;
    else if (argument == "--help" || argument == "-h")
      out.help = true;
    else if (argument == "--out" && i + 1 < count)
      out.out = values[++i];
    else
      fail("unknown or incomplete option {}; try --help", argument);
  }
  return out;
}

Results compute(bool quick) {
  Results results;
  if (quick) results.budget = {18, 1, 2, 200};
  const auto start = std::chrono::steady_clock::now();
  int shown = -1;
  results.panels = study_arms(results.budget, [&](double done) {
    if (const int tenth = static_cast<int>(10 * done); tenth != shown) {
      fmt::print(stderr, "tuning and running: {}%\n", 10 * tenth);
      shown = tenth;
    }
  });
  results.pareto = study_pareto(quick);
  results.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return results;
}

void run(const Arguments& arguments) {
  std::error_code error;
  std::filesystem::create_directories(arguments.out, error);
  if (error) fail("cannot make the folder {}: {}", arguments.out, error.message());
  const Results results = compute(arguments.quick);
  for (const report::Table& table :
       {ratio_table(results), difference_table(results), settings_table(results), pareto_table(results)})
    fmt::print("{}\n", table.text());
  report::write_text(arguments.out + "/quadratic.html", page_html(results));
  report::write_text(arguments.out + "/pareto.svg", report::standalone(pareto_chart(results)));
  fmt::print("{:.1f} s; wrote {}/quadratic.html\n", results.seconds, arguments.out);
}

}  // namespace

int main(int count, char** values) {
  try {
    const Arguments arguments = parse(count, values);
    if (arguments.help)
      fmt::print("{}", kHelp);
    else
      run(arguments);
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "detent_quadratic: {}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "detent_quadratic: {}\n", error.what());
    return static_cast<int>(ExitCode::kMachineFault);
  }
}
