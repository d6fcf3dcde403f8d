// What the methods do around a step: noise and blending before the forward, pulls in the optimizer, resets after it.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "detent/optim/optimizer.h"
#include "detent/qat/attach.h"
#include "detent/train/config.h"

namespace detent {

class MethodSchedule {
 public:
  // Refuses a pull (CAGE, WinQ's reset) on grid and scale pairs without a fixed point, naming the layer and the way
  // out.
  MethodSchedule(const TrainConfig& config, QuantizedModel& model, Optimizer& optimizer);

  void before_step(int64_t t);            // noise, blending, the blended weights' learning rates
  PullTerms pull_terms(int64_t t);        // CAGE's lambda_t
  bool after_step(int64_t t);             // learned steps stay positive, WinQ's reset; true when one happened
  double learning_rate(int64_t t) const;  // peak * schedule
  // Fills what the log shows: lambda_t, pull, alpha, distance_to_grid, moving_codes, pareto_distance.
  void describe(nlohmann::json& line, int64_t t);
  // One line a method for the start of training: what a CAGE size comes to, whether a WinQ reset has way to travel.
  std::vector<std::string> notes() const;

  nlohmann::json state() const;  // for checkpoints
  void restore(const nlohmann::json& state);

 private:
  double mean_half_step() const;
  double sum_of_rates() const;  // over the steps in which CAGE acts
  const TrainConfig& config_;
  QuantizedModel& model_;
  Optimizer& optimizer_;
  std::vector<size_t> blended_;    // optimizer parameters that alpha-blending slows down
  std::optional<double> lambda_;   // CAGE's, known from the first step in which it acts
  std::vector<at::Tensor> codes_;  // at the last log line, to count those that moved
};

}  // namespace detent
