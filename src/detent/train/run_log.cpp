#include "detent/train/run_log.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>

#include "detent/base/error.h"
#include "detent/io/atomic_file.h"

namespace detent {

namespace {
bool is_kept(const nlohmann::json& line, int64_t done, int64_t steps) {
  if (!line.is_object()) return false;  // torn: the process was killed while writing it
  const int64_t step = line.value("step", done + 1);
  const std::string kind = line.value("kind", "");
  return step <= done && kind != "final" && !(kind == "eval" && step == steps);
}

void drop_lines_to_come(const std::filesystem::path& path, int64_t done, int64_t steps) {
  std::ifstream in(path);
  if (!in) return;
  std::string kept;
  for (std::string line; std::getline(in, line);)
    if (is_kept(nlohmann::json::parse(line, nullptr, false), done, steps)) kept += line + "\n";
  io::write_file_atomically(path, kept);
}
}  // namespace

RunLog::RunLog(const std::filesystem::path& run, int64_t done, int64_t steps)
    : path_(run / "log.jsonl"), file_(nullptr, &std::fclose), events_(run) {
  drop_lines_to_come(path_, done, steps);
  file_.reset(std::fopen(path_.c_str(), "ab"));
  if (!file_) fail_machine("cannot write {}: {}", path_.string(), std::strerror(errno));
}

void RunLog::write(const nlohmann::json& line) {
  const std::string text = line.dump() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() || std::fflush(file_.get()) != 0)
    fail_machine("cannot write {}: {}; free some space and go on with --resume", path_.string(), std::strerror(errno));
  std::vector<std::string> tags;
  std::vector<float> values;
  for (const auto& [key, value] : line.items())
    if (value.is_number() && key != "step") {
      tags.push_back(line.value("kind", "run") + "/" + key);
      values.push_back(value.get<float>());
    }
  std::vector<io::ScalarEvent> scalars;
  for (size_t i = 0; i < tags.size(); ++i) scalars.push_back({tags[i], values[i]});
  events_.scalars(line.value("step", int64_t{0}), scalars);
}

}  // namespace detent
