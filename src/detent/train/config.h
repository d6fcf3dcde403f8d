// The whole configuration of a training run, and the checks that no single key can make.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "detent/architectures/decoder_config.h"
#include "detent/base/options.h"
#include "detent/data/data_options.h"
#include "detent/optim/optimizer.h"
#include "detent/optim/schedule.h"
#include "detent/qat/alpha_blending.h"
#include "detent/qat/cage.h"
#include "detent/qat/options.h"
#include "detent/qat/winq.h"

namespace detent {

struct ModelOptions {
  std::string from;
  std::string architecture = "llama";
  std::optional<int64_t> vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads,
      num_key_value_heads, head_dim, max_position_embeddings;
  std::optional<double> rms_norm_eps, rope_theta, initializer_range;
  std::optional<bool> tie_word_embeddings;

  template <class V>
  void visit(V& v) {
    const Range size{1, 1 << 24};
    v.field("from", from, "start from the weights of a model: a Hugging Face folder, a run or a checkpoint");
    v.field("architecture", architecture, "architecture of a new model", Choices{"llama"});
    v.field("vocab_size", vocab_size, "tokens; default: the tokenizer's", size);
    v.field("hidden_size", hidden_size, "width of the residual stream", size);
    v.field("intermediate_size", intermediate_size, "width inside the feed-forward layers", size);
    v.field("num_hidden_layers", num_hidden_layers, "blocks", size);
    v.field("num_attention_heads", num_attention_heads, "query heads", size);
    v.field("num_key_value_heads", num_key_value_heads, "key and value heads; default: as many as query heads", size);
    v.field("head_dim", head_dim, "size of a head; default: hidden_size / num_attention_heads", size);
    v.field("max_position_embeddings", max_position_embeddings, "longest context", size);
    v.field("rms_norm_eps", rms_norm_eps, "added to the mean square in RMSNorm", kNonNegative);
    v.field("rope_theta", rope_theta, "base of the rotary embedding", kPositive);
    v.field("initializer_range", initializer_range, "standard deviation of fresh weights", kPositive);
    v.field("tie_word_embeddings", tie_word_embeddings, "embedding and head share their weights");
  }
};
// The shape of a new model; vocab_size is the tokenizer's unless given.
DecoderConfig new_model_config(const ModelOptions& options, int64_t tokenizer_vocab, int64_t sequence_length);

struct TrainOptions {
  int64_t steps = 2000, batch_size = 16, gradient_accumulation = 1, seed = 0, threads = 0, log_every = 10;
  std::string precision = "auto";
  template <class V>
  void visit(V& v) {
    v.field("steps", steps, "optimizer steps; 0: only evaluate and write the model", kNonNegative);
    v.field("batch_size", batch_size, "windows in a forward", Range{1, 1 << 20});
    v.field("gradient_accumulation", gradient_accumulation, "forwards in a step", Range{1, 1 << 20});
    v.field("precision", precision, "fp32; auto picks it", Choices{"auto", "fp32"});
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
