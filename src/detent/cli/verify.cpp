#include "detent/deploy/verify.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "detent/base/error.h"
#include "detent/base/progress.h"
#include "detent/cli/commands.h"
#include "detent/data/corpus.h"
#include "detent/import/load.h"
#include "detent/import/model_path.h"
#include "detent/train/agreement.h"
#include "detent/train/model_folder.h"

namespace detent::cli {

namespace {
struct Arguments {
  std::string path, against;
  std::vector<std::string> texts;
  std::optional<int64_t> context;
  bool json = false;
};

// The trained model against the file as the program that loads it multiplies.
Agreement compare(const Arguments& arguments, const ShippedModel& trained) {
  InferenceModel reference = inference_model(trained), run = inference_model(load_as_run(arguments.path));
  const int64_t limit = reference.model->config().context_limit();
  if (arguments.context && *arguments.context > limit)
    fail("--context {} is longer than the model's {}; lower it", *arguments.context, limit);
  const auto tokenizer = load_model_tokenizer(resolve_model(arguments.against));
  const EvalWindows windows(read_documents(arguments.texts, "text", ""), *tokenizer,
                            {.context = arguments.context.value_or(std::min<int64_t>(256, limit))});
  Progress bar("logits", windows.size(), "window", 0, arguments.json);
  const Agreement agreement =
      compare_predictions(*reference.model, *run.model, windows, 4, [&](int64_t done, int64_t) { bar.update(done); });
  bar.finish();
  return agreement;
}

int run(const Arguments& arguments) {
  ShippedModel trained = open_model_any(arguments.against, Codes::kDropped);
  const VerifyReport report = verify_file(arguments.path, trained);
  std::optional<Agreement> agreement;
  if (!arguments.texts.empty() && report.equal()) {
    trained.hold_all();
    agreement = compare(arguments, trained);
  }
  if (arguments.json) {
    nlohmann::json document = to_json(report);
    if (agreement) document["logits"] = to_json(*agreement);
    print_json(document);
  } else {
    fmt::print("{}", to_text(report));
    if (agreement) fmt::print("{}", to_text(*agreement));
    if (!arguments.texts.empty() && !agreement) fmt::print("logits not compared: the weights differ\n");
  }
  return report.equal() ? 0 : static_cast<int>(ExitCode::kNo);
}
}  // namespace

Action add_verify(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("PATH", a->path, "the exported file or folder")->required();
  app.add_option("--against", a->against, "the model it should hold: run directory or checkpoint")->required();
  CLI::Option* texts = app.add_option("--logits", a->texts,
                                      "text (.txt, .jsonl, also .zst): compare predictions too, the file's as the "
                                      "program that loads it multiplies (llama.cpp: with 8-bit inputs)");
  app.add_option("--context", a->context, "ids in a window of --logits (default 256)")
      ->check(CLI::Range(2, 1 << 20))
      ->needs(texts);
  app.add_flag("--json", a->json, "print JSON");
  app.footer(
      "Exit code 0 only when every weight is bit-equal.\nExamples:\n  detent verify model-q4_0.gguf --against runs/q4\n"
      "  detent verify model-q4_0.gguf --against runs/q4 --logits valid.txt");
  return [a] { return run(*a); };
}

}  // namespace detent::cli
