// The whole configuration of a training run, and the checks that no single key can make.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "detent/base/options.h"
#include "detent/data/data_options.h"
#include "detent/optim/optimizer.h"
#include "detent/optim/schedule.h"
#include "detent/qat/alpha_blending.h"
#include "detent/qat/cage.h"
#include "detent/qat/options.h"
#include "detent/qat/winq.h"
#include "detent/train/model_options.h"

namespace detent {

struct TrainOptions {
  int64_t steps = 2000, batch_size = 16, gradient_accumulation = 1, seed = 0, threads = 0, log_every = 10;
  std::string precision = "auto", device = "cpu";
  template <class V>
  void visit(V& v) {
    v.field("steps", steps, "optimizer steps; 0: only evaluate and write the model", kNonNegative);
    v.field("batch_size", batch_size, "windows in a forward", Range{1, 1 << 20});
    v.field("gradient_accumulation", gradient_accumulation, "forwards in a step", Range{1, 1 << 20});
    v.field("precision", precision, "fp32; auto picks it", Choices{"auto", "fp32"});
    v.field("device", device, "cuda: an NVIDIA GPU (not tested on one yet); auto: it where it can be used, else cpu",
            Choices{"auto", "cpu", "cuda"});
    v.field("seed", seed, "decides weights, order of the data and noise", kNonNegative);
    v.field("threads", threads, "0: one a core", Range{0, 1024});
    v.field("log_every", log_every, "steps between lines of the log", Range{1, 1 << 20});
  }
};

struct EvaluationOptions {
  int64_t every = 200, batches = 20;
  template <class V>
  void visit(V& v) {
    v.field("every", every, "steps between validations; 0: only at the end", kNonNegative);
    v.field("batches", batches, "batches of a validation, spread over all documents; 0: all of the data", kNonNegative);
  }
};

struct CheckpointOptions {
  int64_t every = 500, keep = 3;
  template <class V>
  void visit(V& v) {
    v.field("every", every, "steps between checkpoints; 0: only at the end", kNonNegative);
    v.field("keep", keep, "how many of the newest are kept", Range{1, 1 << 20});
  }
};

struct TrainConfig {
  ModelOptions model;
  DataOptions data;
  std::optional<QuantOptions> quant;
  std::optional<CageOptions> cage;
  std::optional<WinqOptions> winq;
  std::optional<AlphaBlendingOptions> alpha_blending;
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  TrainOptions train;
  EvaluationOptions eval;
  CheckpointOptions checkpoint;
  std::string output = "runs/run";
  Node written;  // as read, for the lines in messages

  template <class V>
  void visit(V& v) {
    v.group("model", model, "the model");
    v.group("data", data, "text");
    v.group("quant", quant, "what is quantized, and how");
    v.group("cage", cage, "CAGE: pull towards the grid in the optimizer step");
    v.group("winq", winq, "WinQ: noise before quantization, periodic resets towards the grid");
    v.group("alpha_blending", alpha_blending, "alpha-blending in place of a surrogate");
    v.group("optimizer", optimizer, "the optimizer");
    v.group("schedule", schedule, "the learning rate over training");
    v.group("train", train, "the loop");
    v.group("eval", eval, "validation during training");
    v.group("checkpoint", checkpoint, "checkpoints");
    v.field("output", output, "the run directory");
  }
};

// Reads, expands presets, applies --set, checks. Fails naming key, line and the way out.
TrainConfig load_train_config(const std::string& path, const std::vector<std::string>& sets);
TrainConfig train_config_from_node(Node node);
std::string resolved_yaml(TrainConfig config);

}  // namespace detent
