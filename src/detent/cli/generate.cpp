#include "detent/train/generate.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "detent/base/error.h"
#include "detent/cli/commands.h"
#include "detent/deploy/load.h"
#include "detent/deploy/model_path.h"
#include "detent/train/model_folder.h"

namespace detent::cli {

namespace {

struct Arguments {
  std::string model, prompt;
  GenerateOptions options;
  bool json = false;
};

int run(const Arguments& arguments) {
  const ShippedModel shipped = load_model_any(arguments.model);
  InferenceModel inference = inference_model(shipped);
  const auto tokenizer = load_model_tokenizer(resolve_model(arguments.model));
  const std::vector<int32_t> prompt = tokenizer->encode(arguments.prompt);
  const auto begin = std::chrono::steady_clock::now();
  if (!arguments.json) fmt::print("{}", arguments.prompt);
  const std::vector<int32_t> ids =
      generate(*inference.model, prompt, tokenizer->end_of_text(), arguments.options, [&](int32_t id) {
        if (arguments.json) return;
        fmt::print("{}", tokenizer->piece(id));
        std::fflush(stdout);
      });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const double rate = static_cast<double>(ids.size()) / std::max(seconds, 1e-9);
  if (arguments.json) {
    const std::string text = tokenizer->decode(ids);
    // Bytes that are not UTF-8 become the replacement character; the ids stay exact.
    const std::string safe = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    print_json({{"text", nlohmann::json::parse(safe)}, {"ids", ids}, {"tokens_per_second", rate}});
  } else {
    fmt::print("\n");
    fmt::print(stderr, "{} tokens, {:.1f} tokens/s\n", ids.size(), rate);
  }
  return 0;
}

}  // namespace

Action add_generate(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("MODEL", a->model, "run directory, checkpoint, Hugging Face folder or GGUF file")->required();
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
  app.add_option("--seed", a->options.seed, "decides the sampling")->capture_default_str();
  app.add_flag("--json", a->json, "print JSON");
  app.footer("Example:\n  detent generate model.gguf --prompt 'def main' --tokens 80 --temperature 0.8 --seed 1");
  return [a] { return run(*a); };
}

}  // namespace detent::cli
