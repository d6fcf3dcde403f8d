// Reading arms.json (described in comparison.h).
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/base/options.h"
#include "detent/report/comparison.h"

namespace detent::report {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

const std::vector<std::string> kRoles{"control", "rounding", "baseline", "arm"};
const std::vector<std::string> kKeys{"name",          "run",
                                     "seed",          "bits",
                                     "role",          "file_bytes",
                                     "note",          "validation_loss",
                                     "bits_per_byte", "tokens_per_second",
                                     "seconds"};

void check_keys(const Json& entry, const std::string& where) {
  if (!entry.is_object()) fail("{}: expected an object with the keys of one run", where);
  for (const auto& [key, value] : entry.items())
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) {
      const std::string near = nearest_name(key, kKeys);
      fail("{}: unknown key '{}'{}", where, key, near.empty() ? "" : "; did you mean '" + near + "'?");
    }
}

std::string text_at(const Json& entry, const char* key, const std::string& where, bool required) {
  const auto found = entry.find(key);
  if (found == entry.end() && !required) return "";
  if (found == entry.end() || !found->is_string()) fail("{}: \"{}\" must be a text", where, key);
  return found->get<std::string>();
}

// null is NaN, as in a log.
std::optional<double> number_at(const Json& entry, const char* key, const std::string& where) {
  const auto found = entry.find(key);
  if (found == entry.end()) return std::nullopt;
  if (found->is_null()) return ArmRun::kUnknown;
  if (!found->is_number()) fail("{}: \"{}\" must be a number", where, key);
  return found->get<double>();
}

std::string bits_at(const Json& entry, const std::string& where) {
  const auto found = entry.find("bits");
  if (found == entry.end()) fail("{}: \"bits\" is missing; give a number or a text such as \"W4A4\"", where);
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_number()) fail("{}: \"bits\" must be a number or a text", where);
  return fmt::format("{:.3g}", found->get<double>());
}

Role role_at(const Json& entry, const std::string& where) {
  const std::string name = text_at(entry, "role", where, true);
  const auto found = std::find(kRoles.begin(), kRoles.end(), name);
  if (found == kRoles.end()) fail("{}: role '{}' is none of {}", where, name, fmt::join(kRoles, ", "));
  return static_cast<Role>(found - kRoles.begin());
}

long seed_at(const Json& entry, const std::string& where) {
  const auto found = entry.find("seed");
  if (found == entry.end()) return 0;
  if (!found->is_number_integer()) fail("{}: \"seed\" must be an integer", where);
  return found->get<long>();
}

void take_from_run(const fs::path& directory, ArmRun& run) {
  try {
    run.log = load_run(directory.string());
  } catch (const Error& error) {
    run.note += (run.note.empty() ? "" : "; ") + std::string(error.what());
    return;
  }
  if (run.log->finished() || !run.log->curve("eval", "validation_loss").empty())
    run.validation_loss = run.log->result("validation_loss");
  run.bits_per_byte = run.log->result("bits_per_byte");
  if (run.log->final_value("seconds") > 0) {  // a run of no steps has no speed
    run.tokens_per_second = run.log->final_value("tokens_per_second");
    run.seconds = run.log->final_value("seconds");
  }
}

ArmRun read_entry(const Json& entry, const std::string& where, const fs::path& folder) {
  check_keys(entry, where);
  ArmRun run;
  run.name = text_at(entry, "name", where, true);
  run.note = text_at(entry, "note", where, false);
  run.bits = bits_at(entry, where);
  run.role = role_at(entry, where);
  run.seed = seed_at(entry, where);
  if (const std::string directory = text_at(entry, "run", where, false); !directory.empty())
    take_from_run(folder / directory, run);
  if (const auto loss = number_at(entry, "validation_loss", where)) run.validation_loss = loss;
  run.bits_per_byte = number_at(entry, "bits_per_byte", where).value_or(run.bits_per_byte);
  run.tokens_per_second = number_at(entry, "tokens_per_second", where).value_or(run.tokens_per_second);
  run.seconds = number_at(entry, "seconds", where).value_or(run.seconds);
  run.file_bytes = number_at(entry, "file_bytes", where).value_or(run.file_bytes);
  return run;
}

}  // namespace

Comparison load_comparison(const std::string& arms_json) {
  if (!fs::is_regular_file(arms_json)) fail("cannot read {}: there is no such file", arms_json);
  const Json json = parse_json(read_text(arms_json), arms_json);
  if (!json.is_array()) fail("{}: expected a list of runs", arms_json);
  std::vector<ArmRun> runs;
  for (size_t i = 0; i < json.size(); ++i)
    runs.push_back(
        read_entry(json[i], fmt::format("{}: entry {}", arms_json, i + 1), fs::path(arms_json).parent_path()));
  Comparison out = compare(std::move(runs));
  out.source = arms_json;
  return out;
}

}  // namespace detent::report
