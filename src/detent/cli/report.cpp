#include <CLI/CLI.hpp>
#include <memory>

#include "detent/base/error.h"
#include "detent/cli/commands.h"
#include "detent/io/atomic_file.h"
#include "detent/report/runs_page.h"

namespace detent::cli {

namespace {
struct Arguments {
  std::vector<std::string> paths;
  std::string out;
  bool table = false;
};

int run(const Arguments& arguments) {
  if (arguments.out.empty() && !arguments.table) fail("nothing to do: give --out FILE, --table, or both");
  if (!arguments.out.empty()) io::check_replaceable(arguments.out, "<!doctype html", "a page");
  const report::Report page = report::load_report(arguments.paths);
  if (arguments.table)
    for (const report::Comparison& comparison : page.comparisons) {
      fmt::print("{}\n", report::comparison_table(comparison).text());
      for (const std::string& sentence : report::findings(comparison)) fmt::print("{}\n", sentence);
    }
  if (arguments.table && page.comparisons.empty()) fail("--table needs an arms.json among the paths");
  if (arguments.out.empty()) return 0;
  io::create_parent(arguments.out);
  io::write_file_atomically(arguments.out, report::report_html(page));
  fmt::print(stderr, "wrote {}\n", arguments.out);
  return 0;
}
}  // namespace

Action add_report(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("PATH", a->paths, "run directories, or an arms.json that names the arms of a comparison")->required();
  app.add_option("--out", a->out, "the page to write: one HTML file without network");
  app.add_flag("--table", a->table, "print the comparison of an arms.json as text");
  app.footer(
      "Example:\n  detent report runs/q4 runs/q4-cage --out report.html\n\n"
      "An arms.json is a list with an object for each run, for instance\n"
      "  [{\"name\": \"full precision\", \"run\": \"runs/fp32-0\", \"role\": \"control\", \"seed\": 0},\n"
      "   {\"name\": \"QAT\", \"run\": \"runs/q4-0\", \"role\": \"arm\", \"seed\": 0, \"bits\": 4}]\n"
      "  role: control, rounding (no training), baseline or arm; run: relative to the file\n"
      "  optional: bits, file_bytes, note, and validation_loss, bits_per_byte, tokens_per_second, seconds in place of "
      "the "
      "run's own");
  return [a] { return run(*a); };
}

}  // namespace detent::cli
