#include "detent/deploy/verify.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "detent/base/error.h"
#include "detent/cli/commands.h"
#include "detent/import/load.h"

namespace detent::cli {

namespace {
struct Arguments {
  std::string path, against;
  bool json = false;
};

int run(const Arguments& arguments) {
  const VerifyReport report = verify_file(arguments.path, load_model_any(arguments.against));
  if (arguments.json)
    print_json(to_json(report));
  else
    fmt::print("{}", to_text(report));
  return report.equal() ? 0 : static_cast<int>(ExitCode::kNo);
}
}  // namespace

Action add_verify(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("PATH", a->path, "the exported file or folder")->required();
  app.add_option("--against", a->against, "the model it should hold: run directory or checkpoint")->required();
  app.add_flag("--json", a->json, "print JSON");
  app.footer(
      "Exit code 0 only when every weight is bit-equal.\nExample:\n  detent verify model-q4_0.gguf --against runs/q4");
  return [a] { return run(*a); };
}

}  // namespace detent::cli
