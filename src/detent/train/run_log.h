// log.jsonl and TensorBoard events of a run.
#pragma once
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "detent/io/events.h"

namespace detent {

class RunLog {
 public:
  // Lines after last_step are dropped first: a resumed run writes them again.
  RunLog(const std::filesystem::path& run, int64_t last_step);
  // line["kind"] and line["step"] are set; numbers go to TensorBoard as kind/name.
  void write(const nlohmann::json& line);

 private:
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  io::EventWriter events_;
};

}  // namespace detent
