#include <CLI/CLI.hpp>
#include <memory>

#include "detent/base/error.h"
#include "detent/base/progress.h"
#include "detent/cli/commands.h"
#include "detent/train/device.h"
#include "detent/train/memory.h"
#include "detent/train/run_start.h"
#include "detent/train/trainer.h"

namespace detent::cli {

namespace {

struct Arguments {
  std::string config;
  std::vector<std::string> sets;
  bool resume = false, dry_run = false, json = false;
};

int dry_run(const TrainConfig& config, bool resume, bool json) {
  const at::Device device = training_device(config.train.device);
  const MemoryEstimate memory = estimate_memory(config, device);
  const DataSummary data = check_start(config, resume, json);
  const bool packed = config.train.steps > 0 && is_packed(config.data);
  if (json) {
    nlohmann::json document = {{"parameters", memory.parameters},
                               {"steps", config.train.steps},
                               {"device", device.str()},
                               {"memory_bytes", memory.total()},
                               {"tokens", memory.tokens_per_step * config.train.steps},
                               {"config", resolved_yaml(config)}};
    if (packed) document["data"] = to_json(data);
    print_json(document);
    return 0;
  }
  fmt::print("{}", resolved_yaml(config));
  if (packed) fmt::print(stderr, "\n{}\n", to_text(data, config.data));
  fmt::print(stderr, "\n{} parameters; {} steps of {} tokens; about {} of memory ({}) on {}\nnothing was written\n",
             format_count(static_cast<double>(memory.parameters)), config.train.steps, memory.tokens_per_step,
             format_bytes(memory.total()), memory.breakdown(), device_name(device));
  return 0;
}

std::string share_text(const TrainResult& result) {
  if (result.speed_of_light == 0) return "";
  return fmt::format(", {:.0f} % of the speed of light", 100 * result.speed_of_light);
}

nlohmann::json to_json(const TrainResult& result) {
  nlohmann::json json = {{"final_loss", result.final_loss},
                         {"validation_loss", result.validation.loss},
                         {"tokens_per_second", result.tokens_per_second},
                         {"run", result.run}};
  if (result.speed_of_light > 0) json["speed_of_light"] = result.speed_of_light;
  return json;
}

int run(const Arguments& arguments) {
  const TrainConfig config = load_train_config(arguments.config, arguments.sets);
  if (arguments.dry_run) return dry_run(config, arguments.resume, arguments.json);
  const TrainResult result = train(config, arguments.resume, false);
  if (result.interrupted) {
    fmt::print(stderr, "interrupted after step {}; the state is saved, go on with --resume\n", result.steps);
    return static_cast<int>(ExitCode::kInterrupted);
  }
  if (arguments.json)
    fmt::print("{}\n", to_json(result).dump());
  else
    fmt::print("validation loss {:.4f} nats, {:.4f} bits per byte; {} tokens/s{}; {}\n", result.validation.loss,
               result.validation.bits_per_byte, format_count(result.tokens_per_second), share_text(result), result.run);
  return 0;
}

}  // namespace

Action add_train(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("CONFIG", arguments->config, "YAML file; `detent methods --config` lists every key")->required();
  app.add_option("--set", arguments->sets, "change one key: a.b=c (repeatable)")->take_all()->type_name("KEY=VALUE");
  app.add_flag("--resume", arguments->resume, "go on from the newest checkpoint in the run directory");
  app.add_flag("--dry-run", arguments->dry_run,
               "check everything up to the first step and print the resolved configuration, parameters, memory and "
               "steps; write nothing");
  app.add_flag("--json", arguments->json, "end with one line of JSON");
  app.footer(
      "Example:\n  detent train config.yaml --set quant.target=gguf:q4_0 --set train.steps=500 --set output=runs/q4");
  return [arguments] { return run(*arguments); };
}

}  // namespace detent::cli
