#include "detent/report/run_log.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

#include "detent/base/error.h"
#include "detent/base/json.h"

namespace detent::report {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::optional<double> plottable(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value.is_boolean()) return value.get<bool>() ? 1.0 : 0.0;
  if (value.is_null()) return kNan;
  return std::nullopt;
}

void drop_from(std::map<std::string, Points>& columns, double step) {
  for (auto& [key, points] : columns)
    while (!points.empty() && points.x.back() >= step) points.x.pop_back(), points.y.pop_back();
}

// A resume starts from a checkpoint that may lie before the last line written: what came after it never happened.
void forget_from(RunLog& run, const std::string& kind, double step) {
  const Points& steps = run.curve("train", "loss");
  if (kind == "train" && !steps.empty() && step <= steps.x.back())
    for (auto& [other, columns] : run.curves) drop_from(columns, step);
  drop_from(run.curves[kind], step);
  run.final.clear();
}

void add_record(const Json& record, const std::string& where, RunLog& run) {
  if (!record.is_object()) fail("{}: expected one JSON object a line", where);
  const auto kind = record.find("kind");
  if (kind == record.end() || !kind->is_string()) fail("{}: a record needs a \"kind\", such as \"train\"", where);
  const bool is_final = *kind == "final";
  const auto step = record.find(is_final ? "steps" : "step");
  if (step == record.end() ? !is_final : !step->is_number_integer())
    fail("{}: a \"{}\" record needs an integer \"step\"", where, kind->get<std::string>());
  if (is_final) {
    for (const auto& [key, value] : record.items())
      if (const auto number = plottable(value)) run.final[key] = *number;
    return;
  }
  const int64_t at = step->get<int64_t>();
  if (at < 0) fail("{}: step {} is negative", where, at);
  forget_from(run, *kind, static_cast<double>(at));
  auto& columns = run.curves[*kind];
  for (const auto& [key, value] : record.items()) {
    const auto number = plottable(value);
    if (number && key != "step") columns[key].add(static_cast<double>(at), *number);
  }
  run.last_step = at;
}

void flatten_into(const Node& node, const std::string& key, std::vector<std::pair<std::string, std::string>>& out) {
  if (node.kind == Node::Kind::kMap && !node.entries.empty()) {
    for (const auto& [name, value] : node.entries)
      flatten_into(value, key.empty() ? name : fmt::format("{}.{}", key, name), out);
    return;
  }
  Node holder;
  holder.kind = Node::Kind::kMap;
  holder.entries.emplace_back("v", node);
  std::string text = to_yaml(holder).substr(2);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const size_t start = text.find_first_not_of(" \n");
  out.emplace_back(key, start == std::string::npos ? "" : text.substr(start));
}

}  // namespace

const Points& RunLog::curve(const std::string& kind, const std::string& key) const {
  static const Points nothing;
  const auto columns = curves.find(kind);
  if (columns == curves.end()) return nothing;
  const auto found = columns->second.find(key);
  return found == columns->second.end() ? nothing : found->second;
}

double RunLog::final_value(const std::string& key) const {
  const auto found = final.find(key);
  return found == final.end() ? kNan : found->second;
}

double RunLog::result(const std::string& key) const {
  if (final.count(key)) return final_value(key);
  const Points& evaluations = curve("eval", key);
  return evaluations.empty() ? kNan : evaluations.y.back();
}

void parse_log(const std::string& text, const std::string& source, RunLog& run) {
  int number = 0;
  for (size_t start = 0; start < text.size();) {
    const size_t newline = text.find('\n', start);
    const bool complete = newline != std::string::npos;
    const std::string line = text.substr(start, complete ? newline - start : std::string::npos);
    start = complete ? newline + 1 : text.size();
    const std::string where = fmt::format("{}:{}", source, ++number);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    Json record;
    try {
      record = parse_json(line, where);
    } catch (const Error&) {
      if (complete) throw;
      run.torn = true;
      return;
    }
    add_record(record, where, run);
  }
}

RunLog load_run(const std::string& directory) {
  const fs::path path = fs::path(directory).lexically_normal();
  for (const char* file : {"config.yaml", "log.jsonl"})
    if (!fs::is_regular_file(path / file))
      fail("{} is not a run directory: it has no {}; name the folder that `detent train` wrote", directory, file);
  RunLog run;
  run.directory = path.string();
  run.name = (path.has_filename() ? path : path.parent_path()).filename().string();
  run.config_text = read_text((path / "config.yaml").string());
  run.config = parse_yaml(run.config_text, (path / "config.yaml").string());
  const std::string log = (path / "log.jsonl").string();
  parse_log(read_text(log), log, run);
  return run;
}

std::vector<std::pair<std::string, std::string>> flatten(const Node& config) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, value] : config.entries) flatten_into(value, name, out);
  return out;
}

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  if (in) text << in.rdbuf();
  if (!in || in.bad()) fail("cannot read {}: check the path", path);
  return text.str();
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (!out) fail("cannot write {}: check that its folder exists and may be written to", path);
  out << text;
  out.close();
  if (!out) fail_machine("writing {} failed after it was opened: is the disk full?", path);
}

}  // namespace detent::report
