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
  // What a run that goes on after step `done` of `steps` writes again is dropped first: lines after that step, and the
  // validation and the summary at the end.
  RunLog(const std::filesystem::path& run, int64_t done, int64_t steps);
  // line["kind"] and line["step"] are set; numbers go to TensorBoard as kind/name.
  void write(const nlohmann::json& line);

 private:
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  io::EventWriter events_;
};

}  // namespace detent
