#include "detent/deploy/inspect.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "detent/base/error.h"
#include "detent/cli/commands.h"

namespace detent::cli {

namespace {
struct Arguments {
  std::string path, tensor;
  bool json = false;
};

int run(const Arguments& arguments) {
  const auto tensor = arguments.tensor.empty() ? std::nullopt : std::optional(arguments.tensor);
  const InspectReport report = inspect_path(arguments.path, tensor);
  if (arguments.json)
    print_json(to_json(report));
  else
    fmt::print("{}", to_text(report));
  return 0;
}
}  // namespace

Action add_inspect(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("PATH", a->path,
                 "safetensors or GGUF file, llama2.c checkpoint, Hugging Face folder, run or checkpoint")
      ->required();
  app.add_option("--tensor", a->tensor, "only this tensor");
  app.add_flag("--json", a->json, "print JSON");
  app.footer("Example:\n  detent inspect model-q4_0.gguf");
  return [a] { return run(*a); };
}

}  // namespace detent::cli
