// What a run counts over its steps, and the lines of the log that say it.
#pragma once
#include <nlohmann/json.hpp>

#include "detent/train/checkpoint.h"
#include "detent/train/evaluate.h"

namespace detent {

// Steps and their time, to be held against the least time a step could take.
struct Pace {
  double seconds = 0;
  int64_t steps = 0;
  void add(double more) { seconds += more, ++steps; }
  double share(double least_seconds) const;  // 0: no step
};

class RunTotals {
 public:
  void restore(const TrainState& state);
  void put_into(TrainState& state) const;
  void add_tokens(int64_t scored) { tokens_ += scored; }
  void add_step(double seconds);

  double tokens_per_second() const;
  double seconds() const { return seconds_; }
  // Of this process's steps; 0: it made none. least_seconds: of a step (train/speed_of_light.h).
  double speed_of_light(double least_seconds) const { return pace_.share(least_seconds); }
  // Of the steps since the line before.
  nlohmann::json step_line(double lr, double grad_norm, double least_seconds);
  nlohmann::json end_line(const Evaluation& validation, double least_seconds) const;

  int64_t step = 0;  // the last one begun
  double loss = 0;   // its mean training loss

 private:
  int64_t tokens_ = 0;  // over all processes of the run, as are the seconds
  double seconds_ = 0;
  Pace pace_, pace_of_line_;  // of this process; since the last line of the log
};

}  // namespace detent
