#include "detent/train/run_start.h"

#include <unistd.h>

#include <cerrno>
#include <map>

#include "detent/base/error.h"
#include "detent/base/key_error.h"
#include "detent/io/atomic_file.h"
#include "detent/quant/checkpoint_folder.h"
#include "detent/train/session.h"

namespace detent {

namespace fs = std::filesystem;

namespace {

// Keys that may differ between a run and its continuation: they do not change what is computed, but for the rounding
// of another device.
std::string comparable(const TrainConfig& config) {
  TrainConfig copy = config;
  copy.output.clear();
  copy.checkpoint = {};
  copy.train.threads = 0;
  copy.train.device = "auto";
  copy.train.log_every = 1;
  return resolved_yaml(copy);
}

// Every key with its value, blocks apart.
void flatten(const Node& node, const std::string& key, std::map<std::string, std::string>& values) {
  if (node.kind != Node::Kind::kMap) {
    values[key] = to_flow(node);
    return;
  }
  for (const auto& [name, inner] : node.entries) flatten(inner, key.empty() ? name : key + "." + name, values);
}

std::map<std::string, std::string> values_of(const TrainConfig& config) {
  std::map<std::string, std::string> values;
  flatten(parse_yaml(comparable(config), "resolved config"), "", values);
  return values;
}

// "train.seed: 0 -> 9"; keys that only one of them has come last: other keys brought them about.
std::vector<std::string> differences(const std::map<std::string, std::string>& then,
                                     const std::map<std::string, std::string>& now) {
  std::map<std::string, std::pair<std::string, std::string>> both;
  for (const auto& [key, value] : then) both[key] = {value, "absent"};
  for (const auto& [key, value] : now) both.try_emplace(key, "absent", "").first->second.second = value;
  std::vector<std::string> changed, in_one;
  for (const auto& [key, values] : both)
    if (values.first != values.second)
      (then.contains(key) && now.contains(key) ? changed : in_one)
          .push_back(fmt::format("{}: {} -> {}", key, values.first, values.second));
  changed.insert(changed.end(), in_one.begin(), in_one.end());
  return changed;
}

void check_same_config(const TrainConfig& config, const std::string& stored) {
  constexpr size_t kShown = 3;
  std::vector<std::string> changed =
      differences(values_of(train_config_from_node(parse_yaml(stored, "stored config"))), values_of(config));
  if (changed.empty()) return;
  const size_t more = changed.size() > kShown ? changed.size() - kShown : 0;
  changed.resize(changed.size() - more);
  fail("--resume: the configuration is not the one this run began with: {}{}; restore it, or choose another output",
       fmt::join(changed, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

// That the folder is there or could be made.
void check_place(const fs::path& run) {
  std::error_code error;
  fs::path place = fs::absolute(run);
  while (!fs::exists(place, error) && !error && place.has_relative_path()) place = place.parent_path();
  if (!error && !fs::is_directory(place)) error = std::make_error_code(std::errc::not_a_directory);
  if (!error && ::access(place.c_str(), W_OK | X_OK) != 0) error = {errno, std::generic_category()};
  if (error || run.empty()) io::fail_folder(run, error);
}

}  // namespace

void check_fresh(const fs::path& run) {
  if (fs::exists(run / "checkpoints") || fs::exists(run / "log.jsonl"))
    fail("{} already holds a run; go on with --resume, or choose another output", run.string());
}

void check_begun(const fs::path& run) {
  if (!fs::exists(run / "config.yaml") && !newest_checkpoint(run))
    fail("--resume: {} holds no run to go on with; check output, or leave --resume away to begin one", run.string());
}

std::optional<CheckpointContent> load_to_resume(const TrainConfig& config, const std::optional<fs::path>& newest) {
  if (!newest) return std::nullopt;
  CheckpointContent content = load_checkpoint(*newest);
  check_same_config(config, content.state.config);
  return content;
}

DataSummary check_start(const TrainConfig& config, bool resume, bool quiet) {
  const fs::path run = config.output;
  if (resume) check_begun(run);
  at_key("output", [&] { check_place(run); });
  if (!resume) check_fresh(run);
  const auto content = load_to_resume(config, resume ? newest_checkpoint(run) : std::nullopt);
  Session session(config, quiet, Cache::kReadOnly);
  if (content) session.restore(*content);
  return session.loader ? DataSummary{session.loader->counts(), session.loader->windows()} : DataSummary{};
}

}  // namespace detent
