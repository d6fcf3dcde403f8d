// The program: reads the command line, runs one command, turns errors into one sentence and an exit code.
#include <c10/util/Exception.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <optional>

#include "detent/base/error.h"
#include "detent/base/options.h"
#include "detent/cli/commands.h"
#include "detent/ops/block_cache.h"

namespace {

struct Command {
  const char* name;
  const char* summary;
  detent::cli::Action (*add)(CLI::App&);
};

constexpr const char* kOutOfMemory =
    "out of memory: lower train.batch_size, data.sequence_length or the size of the model";

constexpr Command kCommands[] = {
    {"train", "pre-train, fine-tune or quantization-aware train a model", &detent::cli::add_train},
    {"eval", "loss, perplexity and bits per byte of a model on text", &detent::cli::add_eval},
    {"generate", "text from a model", &detent::cli::add_generate},
    {"export", "write a model as a file that other programs load", &detent::cli::add_export},
    {"convert", "a GGUF file or a llama2.c checkpoint as a Hugging Face folder", &detent::cli::add_convert},
    {"verify", "prove that an exported file holds the trained values", &detent::cli::add_verify},
    {"inspect", "what is in a file, and on which grid each tensor lies", &detent::cli::add_inspect},
    {"methods", "what can be combined with what: options, ranges, sources", &detent::cli::add_methods},
    {"tokenize", "text to token shards for training", &detent::cli::add_tokenize},
    {"report", "one self-contained page of curves and tables from runs", &detent::cli::add_report},
    {"bench", "speed of kernels and of a training step", &detent::cli::add_bench},
    {"doctor", "what this machine offers and what is missing", &detent::cli::add_doctor},
};

// CLI11 would only say that a command is required.
void check_command(const char* given) {
  std::vector<std::string> names;
  for (const Command& command : kCommands) names.emplace_back(command.name);
  if (!given || *given == '-' || std::find(names.begin(), names.end(), given) != names.end()) return;
  const std::string near = detent::nearest_name(given, names);
  detent::fail(
      "unknown command '{}'; {}", given,
      near.empty() ? fmt::format("known: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
}

// LibTorch's errors carry a stack trace; a sentence is enough.
std::string first_line(const c10::Error& error) {
  const std::string what = error.what_without_backtrace();
  if (what.find("can't allocate memory") != std::string::npos) return kOutOfMemory;
  return what.substr(0, what.find('\n'));
}

// What was printed may still be on its way: a full disk shows here.
int flushed(int code) {
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return code;
  detent::fail_machine("cannot write the result to standard output");
}

int fault(const char* command, const std::string& what, detent::ExitCode code) {
  std::fflush(stdout);
  std::fprintf(stderr, "detent%s%s: %s\n", *command ? " " : "", command, what.c_str());
  return static_cast<int>(code);
}

// CLI11 would list everything behind an unknown option too.
std::string unknown_option(const CLI::App& command, int argc, char** argv) {
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  for (int i = 1; i < argc; ++i) {
    const std::string given = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
    if (!given.starts_with("--") || given == "--" || std::find(known.begin(), known.end(), given) != known.end())
      continue;
    const std::string near = detent::nearest_name(given, known);
    return fmt::format("unknown option {}{}", given, near.empty() ? "" : fmt::format("; did you mean {}?", near));
  }
  return "";
}

// Reads the command line. --help and --version are done then; wrong usage is one sentence like any other error.
std::optional<int> parsed(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      app.exit(error);
      return flushed(0);
    }
    const std::vector<CLI::App*> chosen = app.get_subcommands();
    const std::string name = chosen.empty() ? "" : chosen[0]->get_name();
    const bool extra = dynamic_cast<const CLI::ExtrasError*>(&error) && !chosen.empty();
    const std::string unknown = extra ? unknown_option(*chosen[0], argc, argv) : "";
    const std::string what = unknown.empty() ? error.what() : unknown;
    return fault(name.c_str(), fmt::format("{}; see detent {}{}--help", what, name, name.empty() ? "" : " "),
                 detent::ExitCode::kBadInput);
  }
}

}  // namespace

int main(int argc, char** argv) {
  // Sums inside matrix products in an order that the number of threads does not change, where the library can.
  setenv("MKL_CBWR", "AVX2,STRICT", 0);
  detent::use_block_cache();
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes becomes an error of the write that meets it
  CLI::App app{"detent: quantization-aware training. What you train is what you ship.", "detent"};
  app.require_subcommand(1);
  app.set_version_flag("--version", DETENT_VERSION);
  app.footer(
      "A first run:\n  detent train config.yaml\n  detent export runs/run --to gguf:q4_0 --out model.gguf\n"
      "  detent verify model.gguf --against runs/run");
  detent::cli::Action action;
  const char* chosen = "";
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    const detent::cli::Action run = command.add(*sub);
    sub->callback([&action, &chosen, run, &command] {
      action = run;
      chosen = command.name;
    });
  }
  try {
    check_command(argc > 1 ? argv[1] : nullptr);
    if (const auto early = parsed(app, argc, argv)) return *early;
    return flushed(action());
  } catch (const detent::Error& error) {
    return fault(chosen, error.what(), error.code());
  } catch (const std::bad_alloc&) {
    return fault(chosen, kOutOfMemory, detent::ExitCode::kMachineFault);
  } catch (const c10::Error& error) {
    return fault(chosen, first_line(error), detent::ExitCode::kMachineFault);
  } catch (const std::exception& error) {
    return fault(chosen, error.what(), detent::ExitCode::kMachineFault);
  }
}
