#include <CLI/CLI.hpp>
#include <memory>

#include "detent/base/error.h"
#include "detent/cli/commands.h"
#include "detent/deploy/target.h"
#include "detent/import/load.h"

namespace detent::cli {

namespace {
struct Arguments {
  std::string model, target, out;
  std::vector<std::string> skip;
  bool from_float = false, json = false;
};

// What was asked for, else what the model was trained for.
std::string target_name(const Arguments& arguments, const ShippedModel& model) {
  if (!arguments.target.empty()) return arguments.target;
  if (model.record.target.empty())
    fail("say what to write with --to: {} was not trained with a quant.target; `detent methods --targets` lists them",
         arguments.model);
  return model.record.target;
}

int run(const Arguments& arguments) {
  if (!arguments.skip.empty() && !arguments.from_float)
    fail("--skip goes with --from-float: what training left unquantized stays so by itself");
  ShippedModel model = open_model_any(arguments.model);
  const ExportTarget& target = find_export_target(target_name(arguments, model));
  if (arguments.from_float) model = round_to_target(model, target, arguments.skip);
  const ExportReport report = export_model(model, target, arguments.out);
  if (arguments.json) {
    nlohmann::json document = to_json(report);
    document["rounded_without_training"] = arguments.from_float;
    print_json(document);
    return 0;
  }
  if (arguments.from_float) fmt::print("rounded to the grid without training: for comparison\n");
  fmt::print("{}", to_text(report));
  return 0;
}
}  // namespace

Action add_export(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("MODEL", a->model, kModelHelp)->required();
  app.add_option("--to", a->target, "target: `detent methods --targets` lists them; default: the run's quant.target");
  app.add_option("--out", a->out, "file or folder to write")->required();
  app.add_flag("--from-float", a->from_float, "round to the target's grid without training, for comparison");
  app.add_option("--skip", a->skip,
                 "with --from-float: projections left as they are: a part of their name, or a pattern such as "
                 "'model.layers.0.*'")
      ->allow_extra_args(false);
  app.add_flag("--json", a->json, "print JSON");
  app.footer(
      "Example:\n  detent export runs/q4 --to gguf:q4_0 --out model-q4_0.gguf\n"
      "  detent export hf-folder --to gguf:q4_0 --from-float --skip down_proj --out rounded.gguf");
  return [a] { return run(*a); };
}

}  // namespace detent::cli
