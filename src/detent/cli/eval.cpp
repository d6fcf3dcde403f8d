#include <CLI/CLI.hpp>
#include <memory>

#include "detent/base/error.h"
#include "detent/base/progress.h"
#include "detent/cli/commands.h"
#include "detent/data/corpus.h"
#include "detent/deploy/load.h"
#include "detent/deploy/model_path.h"
#include "detent/train/evaluate.h"
#include "detent/train/model_folder.h"

namespace detent::cli {

namespace {

struct Arguments {
  std::string model, separator, field = "text";
  std::vector<std::string> data;
  int64_t context = 256, stride = 0, batch_size = 16;
  double fail_above = 0;
  bool json = false;
};

int run(const Arguments& arguments) {
  const ShippedModel shipped = load_model_any(arguments.model);
  InferenceModel inference = inference_model(shipped);
  const auto tokenizer = load_model_tokenizer(resolve_model(arguments.model));
  const int64_t limit = inference.model->config().context_limit();
  if (arguments.context > limit) fail("--context {} is longer than the model's {}; lower it", arguments.context, limit);
  const EvalWindows windows(read_documents(arguments.data, arguments.field, arguments.separator), *tokenizer,
                            {.context = arguments.context, .stride = arguments.stride});
  Progress bar("eval", windows.size(), "window", 0, arguments.json);
  const Evaluation result =
      evaluate(*inference.model, windows, arguments.batch_size, [&](int64_t done, int64_t) { bar.update(done); });
  bar.finish();
  if (arguments.json)
    print_json(to_json(result));
  else
    fmt::print(
        "loss {:.4f} nats a token, perplexity {:.4f}, {:.4f} bits per byte; {} tokens in {} windows, {} dropped\n",
        result.loss, result.perplexity(), result.bits_per_byte, result.tokens, result.windows, result.dropped);
  return arguments.fail_above > 0 && result.loss > arguments.fail_above ? static_cast<int>(ExitCode::kNo) : 0;
}

}  // namespace

Action add_eval(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("MODEL", a->model, "run directory, checkpoint, Hugging Face folder or GGUF file")->required();
  app.add_option("--data", a->data, "text: .txt, .jsonl, each also .zst; folders of .txt and .py")->required();
  app.add_option("--context", a->context, "ids in a window")->check(CLI::Range(2, 1 << 20))->capture_default_str();
  app.add_option("--stride", a->stride, "slide by this many ids and score only those; 0: windows do not overlap")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app.add_option("--separator", a->separator, "text between documents of a text file; default: a file is one document");
  app.add_option("--field", a->field, "key of a jsonl line that holds the text")->capture_default_str();
  app.add_option("--batch-size", a->batch_size, "windows in a forward")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  app.add_option("--fail-above", a->fail_above, "exit 1 when the loss is above this")->check(finite);
  app.add_flag("--json", a->json, "print JSON");
  app.footer("Example:\n  detent eval runs/q4 --data valid.txt --context 256 --json");
  return [a] { return run(*a); };
}

}  // namespace detent::cli
