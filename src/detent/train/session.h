// Everything a run holds: model, quantizers, optimizer, data. Built from a configuration, saved and restored as a
// whole.
#pragma once
#include <functional>
#include <memory>

#include "detent/models/causal_lm.h"
#include "detent/train/checkpoint.h"
#include "detent/train/config.h"
#include "detent/train/method_schedule.h"
#include "detent/train/run_data.h"

namespace detent {

class Session {
 public:
  // quiet: no progress while text is read.
  Session(const TrainConfig& config, bool quiet, Cache use = Cache::kBuilt);
  // Model, quantizers and optimizer without data: finds what does not fit together.
  static void check(const TrainConfig& config);

  CheckpointContent content(const TrainState& progress);  // its step, loss, tokens and seconds; the rest is filled in
  void restore(const CheckpointContent& content);

  TrainConfig config;
  at::Device device;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<CausalLm> model;
  QuantizedModel quantized;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<MethodSchedule> methods;
  std::unique_ptr<Loader> loader;  // null when train.steps is 0
  std::unique_ptr<EvalWindows> validation;

 private:
  explicit Session(const TrainConfig& config);
  void start_learned_scales(const std::string& folder);
  void build_model();
  void build_optimizer();
  void open_data(bool quiet, Cache use);
  std::string data_digest_, generation_config_;
  TensorMap weights();
  TensorMap learned();
};

}  // namespace detent
