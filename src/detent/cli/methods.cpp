#include "detent/qat/method.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "detent/base/error.h"
#include "detent/cli/commands.h"
#include "detent/format/target_rules.h"
#include "detent/qat/presets.h"
#include "detent/train/config.h"

namespace detent::cli {

namespace {

struct Arguments {
  std::string name;
  bool targets = false, config = false, json = false;
};

nlohmann::json option_json(const std::vector<OptionRow>& rows) {
  nlohmann::json all = nlohmann::json::array();
  for (const OptionRow& row : rows)
    all.push_back({{"name", row.name}, {"default", row.default_value}, {"range", row.range}, {"help", row.help}});
  return all;
}

// Grids that a target writes bit for bit in groups of its own size, under some scale format.
std::vector<std::string> accepted_grids(const TargetRules& rules) {
  QuantSpec spec = rules.preferred().value_or(QuantSpec{{}, parse_granularity("256")});
  spec.scale_rule = ScaleRule::kLearned;
  std::vector<std::string> accepted;
  for (const std::string& grid : grid_names())
    for (int bits = 1; bits <= 8; ++bits)
      for (const std::string& format : scale_format_names()) {
        try {
          spec.grid = make_grid(grid, bits);
        } catch (const Error&) {  // bits that it does not have
          continue;
        }
        spec.scale_format = parse_scale_format(format);
        const std::string name = spec.grid.name();
        const bool known = std::find(accepted.begin(), accepted.end(), name) != accepted.end();
        if (!known && !spec_problem(spec) && !rules.refusal(spec, 256)) accepted.push_back(name);
      }
  return accepted;
}

nlohmann::json target_json(const TargetRules& rules) {
  const auto preferred = rules.preferred();
  return {{"name", rules.name()},
          {"summary", rules.summary()},
          {"accepts", accepted_grids(rules)},
          {"weights", preferred ? detent::to_json(*preferred) : nlohmann::json()},
          {"unquantized", rules.unquantized()}};
}

// As a configuration spells it.
std::string preferred_text(const TargetRules& rules) {
  const auto spec = rules.preferred();
  if (!spec) return "none of its own: give quant.weights";
  return fmt::format("{{grid: {}, bits: {}, scale: {}, group: {}, scale_format: {}}}, the rest as {}",
                     grid_kind_name(spec->grid.kind), spec->grid.bits, scale_rule_name(spec->scale_rule),
                     spec->granularity.name(), scale_format_name(spec->scale_format), rules.unquantized());
}

nlohmann::json targets_json() {
  nlohmann::json targets = nlohmann::json::array();
  for (const auto& rules : target_rules()) targets.push_back(target_json(*rules));
  return targets;
}

// Everything, or what has the name.
nlohmann::json to_json(const std::string& name) {
  const auto wanted = [&](const std::string& other) { return name.empty() || name == other; };
  nlohmann::json methods = nlohmann::json::array(), presets = nlohmann::json::array();
  for (const NamedMethod& m : all_methods())
    for (const std::string& kind : kind_names(m.entry->kind))
      if (wanted(m.name))
        methods.push_back({{"name", m.name},
                           {"kind", kind},
                           {"summary", m.entry->summary},
                           {"accepts", m.entry->accepts},
                           {"source", m.entry->source},
                           {"options", option_json(m.entry->options())}});
  for (const Preset& p : quant_presets())
    if (wanted(p.name)) presets.push_back({{"name", p.name}, {"quant", p.text}, {"source", p.source}});
  return {
      {"methods", methods}, {"presets", presets}, {"targets", name.empty() ? targets_json() : nlohmann::json::array()}};
}

void print_options(const std::vector<OptionRow>& rows) {
  for (const OptionRow& row : rows)
    fmt::print("  {:<34} {:<14} {}{}\n", row.name, row.default_value.empty() ? "-" : row.default_value, row.help,
               row.range.empty() ? "" : "  " + row.range);
}

std::string kinds(const NamedMethod& method) {
  return fmt::format("{}", fmt::join(kind_names(method.entry->kind), ", "));
}

void check_name(const std::string& name) {
  std::vector<std::string> names;
  for (const NamedMethod& m : all_methods()) names.push_back(m.name);
  for (const Preset& p : quant_presets()) names.emplace_back(p.name);
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  const std::string near = nearest_name(name, names);
  fail("unknown method or preset '{}'{}; known: {}", name,
       near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", "));
}

void describe(const std::string& name) {
  for (const NamedMethod& m : all_methods()) {
    if (m.name != name) continue;
    fmt::print("{} ({})\n{}\naccepts: {}\nsource: {}\n", m.name, kinds(m), m.entry->summary, m.entry->accepts,
               m.entry->source);
    print_options(m.entry->options());
  }
  for (const Preset& p : quant_presets())
    if (p.name == name) fmt::print("quant.preset: {} stands for\n{}source: {}\n", p.name, p.text, p.source);
}

void print_targets() {
  for (const auto& rules : target_rules())
    fmt::print("{:<24} {}\n{:<24} chooses: {}\n{:<24} holds bit for bit, in groups that fit its blocks: {}\n",
               rules->name(), rules->summary(), "", preferred_text(*rules), "",
               fmt::join(accepted_grids(*rules), ", "));
  fmt::print("\nquant.target: NAME in a configuration chooses so and refuses what the file could not hold.\n");
}

void print_methods() {
  for (const NamedMethod& m : all_methods()) fmt::print("{:<16} {:<16} {}\n", m.name, kinds(m), m.entry->summary);
  fmt::print(
      "\nOne surrogate a tensor; the other kinds combine with any of them and with each other.\n"
      "presets for quant.preset:");
  for (const Preset& p : quant_presets()) fmt::print(" {}", p.name);
  fmt::print("\n`detent methods NAME` shows options and source, --targets the export targets, --config every key.\n");
}

int run(const Arguments& arguments) {
  if (!arguments.name.empty()) check_name(arguments.name);
  TrainConfig config;
  if (arguments.json && arguments.config)
    print_json({{"config", option_json(options_table(config))}});
  else if (arguments.json && arguments.targets)
    print_json({{"targets", targets_json()}});
  else if (arguments.json)
    print_json(to_json(arguments.name));
  else if (!arguments.name.empty())
    describe(arguments.name);
  else if (arguments.targets)
    print_targets();
  else if (arguments.config)
    print_options(options_table(config));
  else
    print_methods();
  return 0;
}

}  // namespace

Action add_methods(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::Option* name = app.add_option("NAME", a->name, "a method or preset to describe");
  CLI::Option* targets = app.add_flag("--targets", a->targets, "export targets and the grids they hold");
  CLI::Option* config = app.add_flag("--config", a->config, "every key of a training configuration");
  targets->excludes(name, config);
  config->excludes(name);
  app.add_flag("--json", a->json, "print JSON");
  app.footer("Example:\n  detent methods cage");
  return [a] { return run(*a); };
}

}  // namespace detent::cli
