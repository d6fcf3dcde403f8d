// Numbers that are no longer finite end a run, with the step, the tensor and the last good checkpoint named.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "detent/optim/optimizer.h"

namespace detent {

struct RunPlace {
  int64_t step;
  const std::filesystem::path& last_good;  // checkpoint; empty: there is none yet
};
[[noreturn]] void fail_not_finite(const std::string& what, const RunPlace& place);
// Before the update: loss and norm, else the first gradient that is not finite.
void check_step(const std::vector<OptimizedParameter>& parameters, double loss, double norm, const RunPlace& place);
// After it: a step may break what the next one would have told; a checkpoint of it would pass for a good one.
void check_weights(const std::vector<OptimizedParameter>& parameters, const RunPlace& place);

}  // namespace detent
