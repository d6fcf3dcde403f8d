// One function a command, each in a file of its own: it describes the command to CLI11 and returns what to run.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace detent::cli {

// Returns the exit code.
using Action = std::function<int()>;

Action add_train(CLI::App& app);
Action add_eval(CLI::App& app);
Action add_generate(CLI::App& app);
Action add_export(CLI::App& app);
Action add_convert(CLI::App& app);
Action add_verify(CLI::App& app);
Action add_inspect(CLI::App& app);
Action add_methods(CLI::App& app);
Action add_doctor(CLI::App& app);
Action add_report(CLI::App& app);
Action add_bench(CLI::App& app);
Action add_tokenize(CLI::App& app);

// One JSON document on stdout, nothing else there.
void print_json(const nlohmann::json& document);

// What a MODEL argument may be, for --help.
inline constexpr const char* kModelHelp =
    "run directory, checkpoint, Hugging Face folder, GGUF file or llama2.c checkpoint";

// Fails, naming the options among `names` that were given, which `reason` keeps from having an effect.
void refuse_given(const CLI::App& app, const std::vector<std::string>& names, const std::string& reason);

// Fails when --field or --separator was given and is about none of the files.
void check_text_options(const CLI::App& app, const std::vector<std::string>& files);

// For an option's check(): CLI11's ranges let "nan" through.
std::string finite(const std::string& text);

}  // namespace detent::cli
