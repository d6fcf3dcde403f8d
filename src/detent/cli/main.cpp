// The program: reads the command line, runs one command, turns errors into one sentence and an exit code.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "detent/base/error.h"
#include "detent/cli/commands.h"

namespace {

struct Command {
  const char* name;
  const char* summary;
  detent::cli::Action (*add)(CLI::App&);
};

constexpr Command kCommands[] = {
    {"train", "pre-train, fine-tune or quantization-aware train a model", &detent::cli::add_train},
    {"eval", "loss, perplexity and bits per byte of a model on text", &detent::cli::add_eval},
    {"generate", "text from a model", &detent::cli::add_generate},
    {"export", "write a model as a file that other programs load", &detent::cli::add_export},
    {"verify", "prove that an exported file holds the trained values", &detent::cli::add_verify},
    {"inspect", "what is in a file, and on which grid each tensor lies", &detent::cli::add_inspect},
    {"methods", "what can be combined with what: options, ranges, sources", &detent::cli::add_methods},
    {"report", "one self-contained page of curves and tables from runs", &detent::cli::add_report},
    {"bench", "speed of kernels and of a training step", &detent::cli::add_bench},
    {"doctor", "what this machine offers and what is missing", &detent::cli::add_doctor},
};

int fault(const char* command, const std::exception& error, detent::ExitCode code) {
  std::fflush(stdout);
  std::fprintf(stderr, "detent%s%s: %s\n", *command ? " " : "", command, error.what());
  return static_cast<int>(code);
}

}  // namespace

int main(int argc, char** argv) {
  // Sums inside matrix products in an order that the number of threads does not change, where the library can.
  setenv("MKL_CBWR", "AVX2,STRICT", 0);
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
    app.parse(argc, argv);
    return action();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(detent::ExitCode::kBadInput);
  } catch (const detent::Error& error) {
    return fault(chosen, error, error.code());
  } catch (const std::bad_alloc& error) {
    return fault(chosen, std::runtime_error("out of memory: lower train.batch_size or data.sequence_length"),
                 detent::ExitCode::kMachineFault);
  } catch (const std::exception& error) {
    return fault(chosen, error, detent::ExitCode::kMachineFault);
  }
}
