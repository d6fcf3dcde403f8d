#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "detent/base/error.h"
#include "detent/base/progress.h"
#include "detent/cli/commands.h"
#include "detent/data/corpus.h"
#include "detent/import/load.h"
#include "detent/import/model_path.h"
#include "detent/io/atomic_file.h"
#include "detent/train/choices.h"
#include "detent/train/evaluate.h"
#include "detent/train/model_folder.h"

namespace detent::cli {

namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string model, task, samples, convention = "windows";
  std::vector<std::string> files;
  DataOptions data;
  std::optional<int64_t> context;
  int64_t stride = 0, batch_size = 16;
  std::optional<double> fail_above;
  bool no_bos = false, json = false;
};

// A model, its tokenizer, and the context that was asked for.
struct Subject {
  InferenceModel inference;
  std::unique_ptr<Tokenizer> tokenizer;
  int64_t context = 0;
};

Subject open_subject(const Arguments& arguments, std::optional<int64_t> default_context) {
  Subject subject{inference_model(load_model_any(arguments.model, Codes::kDropped)),
                  load_model_tokenizer(resolve_model(arguments.model))};
  const int64_t limit = subject.inference.model->config().context_limit();
  subject.context = arguments.context.value_or(default_context.value_or(limit));
  if (arguments.context && subject.context > limit)
    fail("--context {} is longer than the model's {}; lower it", subject.context, limit);
  subject.context = std::min(subject.context, limit);
  return subject;
}

EvalProgress show(Progress& bar) {
  return [&bar](int64_t done, int64_t) { bar.update(done); };
}

Evaluation evaluate_windows(const Arguments& arguments, Subject& subject, const EvalWindows& windows) {
  Progress bar("eval", windows.size(), "window", 0, arguments.json);
  const Evaluation result = evaluate(*subject.inference.model, windows, arguments.batch_size, show(bar));
  bar.finish();
  return result;
}

Evaluation evaluate_text(const Arguments& arguments, Subject& subject, const EvalOptions& options) {
  const std::vector<std::string> documents =
      read_documents(arguments.files, arguments.data.field, arguments.data.separator);
  Evaluation result = evaluate_windows(arguments, subject, EvalWindows(documents, *subject.tokenizer, options));
  if (options.convention == Convention::kRolling) count_documents(result, documents);
  return result;
}

Evaluation evaluate_answers(const Arguments& arguments, Subject& subject, const EvalOptions& options) {
  const fs::path model = resolve_model(arguments.model);
  const DataOptions data = with_chat_format(arguments.data, fs::is_directory(model) ? model : fs::path());
  const auto tokens = encode_corpus(arguments.files, data, *subject.tokenizer);
  return evaluate_windows(arguments, subject, EvalWindows(tokens, *subject.tokenizer, options));
}

std::string to_text(const Evaluation& e) {
  std::string text = fmt::format(
      "loss {:.4f} nats a token, perplexity {:.4f}, {:.4f} bits per byte; {} in {}, {} dropped", e.loss, e.perplexity(),
      e.bits_per_byte, format_items(e.tokens, "token"), format_items(e.windows, "window"), e.dropped);
  if (e.words > 0)
    text += fmt::format("; {:.4f} a word of {}, {:.4f} a byte", e.perplexity_per(e.words), e.words,
                        e.perplexity_per(e.bytes));
  return text;
}

int run_data(const Arguments& arguments) {
  Subject subject = open_subject(arguments, 256);
  const EvalOptions options{
      .context = subject.context, .stride = arguments.stride, .convention = parse_convention(arguments.convention)};
  const Evaluation result = arguments.data.format == "text" ? evaluate_text(arguments, subject, options)
                                                            : evaluate_answers(arguments, subject, options);
  nlohmann::json document = to_json(result);
  document["convention"] = arguments.convention;
  document["context"] = subject.context;
  if (arguments.json)
    print_json(document);
  else
    fmt::print("{}\n", to_text(result));
  return arguments.fail_above && result.loss > *arguments.fail_above ? static_cast<int>(ExitCode::kNo) : 0;
}

int run_task(const Arguments& arguments) {
  if (!arguments.samples.empty()) io::check_replaceable(arguments.samples, "{\"answer\"", "a file of answers");
  const Task task = read_task(arguments.task);
  Subject subject = open_subject(arguments, std::nullopt);
  if (arguments.no_bos && !subject.tokenizer->bos())
    fail("--no-bos has no effect: the tokenizer of {} puts no BOS in front; drop it", arguments.model);
  int64_t choices = 0;
  for (const Question& question : task.questions) choices += static_cast<int64_t>(question.choices.size());
  Progress bar(task.format, choices, "choice", 0, arguments.json);
  const TaskResult result = evaluate_task(
      *subject.inference.model, task, *subject.tokenizer,
      {.context = subject.context, .batch_size = arguments.batch_size, .bos = !arguments.no_bos}, show(bar));
  bar.finish();
  if (!arguments.samples.empty()) io::write_file_atomically(arguments.samples, samples_jsonl(task, result));
  if (arguments.json)
    print_json(to_json(result));
  else
    fmt::print("{}\n", to_text(result));
  return 0;
}

int run(const Arguments& arguments) {
  if (arguments.files.empty() == arguments.task.empty()) fail("give either --data or --task; see detent eval --help");
  return arguments.task.empty() ? run_data(arguments) : run_task(arguments);
}

void add_text_options(CLI::App& app, Arguments& a, CLI::Option* task) {
  const auto only_text = [&](CLI::Option* option) { return option->excludes(task); };
  only_text(app.add_option("--convention", a.convention,
                           "how text is cut and what is scored (docs/evaluation.md): windows, gptq or lm-eval"))
      ->check(CLI::IsMember(kConventions))
      ->capture_default_str();
  only_text(
      app.add_option("--stride", a.stride, "slide by this many ids and score only those; 0: windows do not overlap"))
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  CLI::Option* separator = only_text(app.add_option(
      "--separator", a.data.separator, "text between documents of a text file; default: a file is one document"));
  CLI::Option* field = only_text(app.add_option("--field", a.data.field, "key of a jsonl line that holds the text"))
                           ->capture_default_str();
  CLI::Option* format =
      only_text(app.add_option("--format", a.data.format,
                               "what a jsonl line holds: text, messages, prompt_completion; answers alone are scored"));
  format->check(CLI::IsMember({"text", "messages", "prompt_completion"}))
      ->excludes(separator)
      ->excludes(field)
      ->capture_default_str();
  only_text(app.add_option("--chat-format", a.data.chat_format, "llama3 or chatml; default: the tokenizer's own"))
      ->check(CLI::IsMember(kChatFormats))
      ->needs(format);
  only_text(app.add_option("--fail-above", a.fail_above, "exit 1 when the loss is above this"))->check(finite);
}

}  // namespace

Action add_eval(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  app.add_option("MODEL", a->model, kModelHelp)->required();
  CLI::Option* data = app.add_option("--data", a->files, "text: .txt, .jsonl, each also .zst; folders of .txt and .py");
  CLI::Option* task =
      app.add_option("--task", a->task,
                     "multiple choice: a .jsonl file as HellaSwag, ARC or PIQA have it, or {context, choices, answer}");
  data->excludes(task);
  app.add_option("--context", a->context, "ids in a window (default 256); with --task ids read at most (the model's)")
      ->check(CLI::Range(2, 1 << 20));
  app.add_option("--batch-size", a->batch_size, "windows in a forward")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  add_text_options(app, *a, task);
  app.add_flag("--no-bos", a->no_bos, "with --task: no BOS before the context")->needs(task);
  app.add_option("--samples", a->samples, "with --task: write a line of JSON a question to this file")->needs(task);
  app.add_flag("--json", a->json, "print JSON");
  app.footer(
      "Examples:\n"
      "  detent eval runs/q4 --data valid.txt --context 256 --json\n"
      "  detent eval models/llama --data wikitext2-test.txt --context 2048 --convention gptq\n"
      "  detent eval runs/chat --data valid.jsonl --format messages --context 1024\n"
      "  detent eval runs/q4 --task hellaswag_val.jsonl");
  return [a, &app] {
    const bool text = a->data.format == "text";
    if (text) refuse_given(app, {"--chat-format"}, "--format is text");
    if (text && !a->files.empty()) check_text_options(app, a->files);
    return run(*a);
  };
}

}  // namespace detent::cli
