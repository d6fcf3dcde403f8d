// What a run says of the machine that it is on, before its first step.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "detent/train/session.h"

namespace detent {

struct MachineLine {
  nlohmann::json line;       // of the log, kind "machine"
  double least_seconds = 0;  // of a step (train/speed_of_light.h)
};
// Measures the machine's rates, which takes a fifth of a second.
MachineLine machine_line(Session& session, int64_t step);
// begun_on: the device of the steps that an earlier process took; empty: there are none.
void print_machine(const Session& session, int64_t step, const std::string& begun_on);

}  // namespace detent
