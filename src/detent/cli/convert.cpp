#include "detent/import/convert.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "detent/base/error.h"
#include "detent/cli/commands.h"

namespace detent::cli {

namespace {
struct Arguments {
  std::string path, out, tokenizer;
  bool json = false;
};

int run(const Arguments& arguments) {
  const ConvertReport report = convert_model(arguments.path, arguments.out, arguments.tokenizer);
  if (arguments.json)
    print_json(to_json(report));
  else
    fmt::print("{}", to_text(report));
  return 0;
}
}  // namespace

Action add_convert(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("PATH", a->path, "a GGUF file, or a llama2.c checkpoint of version 0 or 1")->required();
  app.add_option("--out", a->out, "Hugging Face folder to write")->required();
  app.add_option("--tokenizer", a->tokenizer, "llama2.c's tokenizer.bin; default: the one beside the checkpoint");
  app.add_flag("--json", a->json, "print JSON");
  app.footer("Example:\n  detent convert stories260K.bin --tokenizer tok512.bin --out stories260K");
  return [a] { return run(*a); };
}

}  // namespace detent::cli
