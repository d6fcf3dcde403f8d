#include "detent/train/generate.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "detent/architectures/stop_ids.h"
#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/cli/commands.h"
#include "detent/import/load.h"
#include "detent/import/model_path.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"
#include "detent/train/model_folder.h"
#include "detent/train/text_stream.h"

namespace detent::cli {

namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string model, prompt, stop;
  GenerateOptions options;
  bool json = false;
};

constexpr const char* kReasons[] = {"tokens", "stop_id", "stop_text", "context"};  // by StopReason

// Of generation_config.json, else of config.json, else the tokenizer's end of text.
std::vector<int32_t> model_stop_ids(const fs::path& model, const ShippedModel& shipped, const Tokenizer& tokenizer) {
  const fs::path path = model / "generation_config.json";
  std::vector<int32_t> ids;
  if (fs::exists(path)) ids = stop_ids(parse_json(io::as_text(io::MappedFile(path).bytes()), path.string()), path);
  if (ids.empty()) ids = stop_ids(shipped.config, shipped.folder);
  if (const auto eos = tokenizer.eos(); ids.empty() && eos) ids = {*eos};
  return ids;
}

void print_summary(const Generated& made, size_t prompt) {
  const auto rate = [](size_t count, double seconds) { return static_cast<double>(count) / std::max(seconds, 1e-9); };
  fmt::print(stderr, "prompt {} tokens, {:.1f} tokens/s; {} tokens, {:.1f} tokens/s{}\n", prompt,
             rate(prompt, made.prompt_seconds), made.ids.size(), rate(made.ids.size(), made.seconds),
             made.reason == StopReason::kContextFull ? "; stopped: the model's context is full" : "");
}

int run(const Arguments& arguments) {
  const fs::path path = resolve_model(arguments.model);
  const ShippedModel shipped = open_model_any(path);
  InferenceModel inference = inference_model(shipped, Weights::kPacked);
  const auto tokenizer = load_model_tokenizer(path);
  GenerateOptions options = arguments.options;
  options.stop = model_stop_ids(path, shipped, *tokenizer);
  std::vector<int32_t> prompt = tokenizer->encode(arguments.prompt);
  if (const auto bos = tokenizer->bos()) prompt.insert(prompt.begin(), *bos);

  TextStream stream(*tokenizer, arguments.stop);
  std::string text;
  const auto show = [&](const std::string& piece) {
    text += piece;
    if (arguments.json || piece.empty()) return;
    fmt::print("{}", piece);
    std::fflush(stdout);
  };
  if (!arguments.json) fmt::print("{}", arguments.prompt);
  const Generated made = generate(*inference.model, prompt, options, [&](int32_t id) {
    show(stream.push(id));
    return !stream.stopped();
  });
  show(stream.finish());
  if (arguments.json) {
    const double rate = static_cast<double>(made.ids.size()) / std::max(made.seconds, 1e-9);
    print_json({{"text", text},
                {"ids", made.ids},
                {"tokens_per_second", rate},
                {"prompt_tokens", prompt.size()},
                {"stopped", kReasons[static_cast<int>(made.reason)]}});
  } else {
    fmt::print("\n");
    std::fflush(stdout);  // before the summary on stderr, where both go to one file
    print_summary(made, prompt.size());
  }
  return 0;
}

}  // namespace

Action add_generate(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("MODEL", a->model, kModelHelp)->required();
  app.add_option("--prompt", a->prompt, "text to go on from")->required();
  app.add_option("--tokens", a->options.tokens, "at most this many")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app.add_option("--temperature", a->options.temperature, "0: always the most likely")
      ->check(finite)
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  app.add_option("--top-k", a->options.top_k, "sample among this many; 0: all")
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  app.add_option("--top-p", a->options.top_p, "sample within this share of the probability")
      ->check(finite)
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--repetition-penalty", a->options.repetition_penalty, "above 1: ids that came before count less")
      ->check(finite)
      ->check(CLI::Range(0.01, 100.0))
      ->capture_default_str();
  app.add_option("--stop", a->stop, "end before this text; ids that end a text in the model's folder always do");
  app.add_option("--seed", a->options.seed, "decides the sampling")->capture_default_str();
  app.add_flag("--json", a->json, "print JSON");
  app.footer("Example:\n  detent generate model.gguf --prompt 'def main' --tokens 80 --temperature 0.8 --seed 1");
  return [a, &app] {
    if (a->options.temperature == 0)
      refuse_given(app, {"--seed", "--top-k", "--top-p"},
                   "at temperature 0 the likeliest id is always taken; give a --temperature above 0");
    return run(*a);
  };
}

}  // namespace detent::cli
