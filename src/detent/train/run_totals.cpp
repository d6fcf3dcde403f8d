#include "detent/train/run_totals.h"

#include <algorithm>

namespace detent {

using nlohmann::json;

double Pace::share(double least_seconds) const {
  return steps > 0 ? least_seconds * static_cast<double>(steps) / std::max(seconds, 1e-9) : 0;
}

void RunTotals::restore(const TrainState& state) {
  step = state.step;
  loss = state.last_loss;
  tokens_ = state.tokens;
  seconds_ = state.seconds;
}

void RunTotals::put_into(TrainState& state) const {
  state.step = step;
  state.last_loss = loss;
  state.tokens = tokens_;
  state.seconds = seconds_;
}

void RunTotals::add_step(double seconds) {
  seconds_ += seconds;
  pace_.add(seconds);
  pace_of_line_.add(seconds);
}

double RunTotals::tokens_per_second() const { return static_cast<double>(tokens_) / std::max(seconds_, 1e-9); }

json RunTotals::step_line(double lr, double grad_norm, double least_seconds) {
  json line = {{"kind", "train"},
               {"step", step},
               {"loss", loss},
               {"lr", lr},
               {"grad_norm", grad_norm},
               {"tokens", tokens_},
               {"tokens_per_second", tokens_per_second()},
               {"seconds", seconds_},
               {"speed_of_light", pace_of_line_.share(least_seconds)}};
  pace_of_line_ = {};
  return line;
}

json RunTotals::end_line(const Evaluation& validation, double least_seconds) const {
  json line = {{"kind", "final"},
               {"step", step},
               {"final_loss", loss},
               {"validation_loss", validation.loss},
               {"bits_per_byte", validation.bits_per_byte},
               {"tokens_per_second", tokens_per_second()},
               {"seconds", seconds_},
               {"steps", step}};
  if (const double share = speed_of_light(least_seconds); share > 0) line["speed_of_light"] = share;
  return line;
}

}  // namespace detent
