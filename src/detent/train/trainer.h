// The training loop: load, forward, backward, clip, update with terms, log; validation, checkpoints, interruption.
#pragma once
#include <filesystem>
#include <memory>

#include "detent/base/progress.h"
#include "detent/train/evaluate.h"
#include "detent/train/run_log.h"
#include "detent/train/session.h"

namespace detent {

struct TrainResult {
  double final_loss = 0;  // mean training loss of the last step
  Evaluation validation;
  double tokens_per_second = 0, seconds = 0;
  double speed_of_light = 0;  // of this process's steps (train/speed_of_light.h); 0: it made none
  int64_t steps = 0;
  bool interrupted = false;
  std::string run;
};

// Runs config to its end in config.output. resume goes on from the newest checkpoint there, if any; without it a folder
// that holds a run is refused.
TrainResult train(const TrainConfig& config, bool resume, bool quiet);

}  // namespace detent
