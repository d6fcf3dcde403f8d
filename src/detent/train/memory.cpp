#include "detent/train/memory.h"

#include "detent/base/error.h"
#include "detent/base/machine.h"
#include "detent/base/progress.h"
#include "detent/data/tokenizer.h"
#include "detent/import/load.h"
#include "detent/import/model_path.h"

namespace detent {

namespace {

// What a first step of any size adds to the program: code that is loaded when it runs, thread pool, buffers of the
// matrix products. Measured as the peak of a tiny run over what the program has when it starts.
constexpr double kFirstStep = 20e6;

DecoderConfig model_config(const TrainConfig& config) {
  if (config.model.from.empty())
    return new_model_config(config.model, open_tokenizer(config.data.tokenizer)->vocab_size(),
                            config.data.sequence_length);
  return read_model_config(resolve_model(config.model.from));
}

// Floats kept for backward by one token: what each layer's operations save, counted in models/causal_lm.cpp, plus the
// gradients that the widest operation's backward makes at once.
double floats_per_token(const DecoderConfig& m, bool quantized_inputs) {
  const auto d = static_cast<double>(m.hidden_size), h = static_cast<double>(m.intermediate_size);
  const auto q = static_cast<double>(m.num_attention_heads * m.head_size());
  const auto kv = static_cast<double>(m.kv_heads() * m.head_size());
  const double norms = 2 * (2 * d + d);             // input, normalized, output of two norms
  const double attention = 3 * q + 3 * kv + 2 * q;  // projections, rotated, mixed twice
  const double feed_forward = 4 * h + 2 * d;        // gate, up, silu, product; residual sums
  // Each quantized input is kept as a value of its own plus a mask of one byte.
  const double inputs = quantized_inputs ? 1.25 * (3 * d + q + 2 * d + h) : 0;
  const double logits = 3 * static_cast<double>(m.vocab_size);
  const double temporary = 3 * h;  // gradients of gate, up and their product
  return static_cast<double>(m.num_hidden_layers) * (norms + attention + feed_forward + inputs) + logits + 2 * d +
         temporary;
}

}  // namespace

std::string MemoryEstimate::breakdown() const {
  return fmt::format("program {}, weights {}, gradients {}, optimizer {}, activations {}", format_bytes(program),
                     format_bytes(weights), format_bytes(gradients), format_bytes(optimizer),
                     format_bytes(activations));
}

MemoryEstimate estimate_memory(const TrainConfig& config) {
  const DecoderConfig model = model_config(config);
  MemoryEstimate e;
  e.parameters = model.parameter_count();
  const double bytes = 4.0 * static_cast<double>(e.parameters);
  const int64_t tokens = config.train.batch_size * config.data.sequence_length;
  e.tokens_per_step = tokens * config.train.gradient_accumulation;
  e.program = resident_bytes() + kFirstStep;
  e.weights = config.quant ? 2 * bytes : bytes;  // the quantized values live through the backward
  if (config.train.steps == 0) return e;
  e.gradients = bytes;
  e.optimizer = config.optimizer.name == "adamw" ? 2 * bytes : config.optimizer.momentum > 0 ? bytes : 0;
  e.activations =
      4.0 * static_cast<double>(tokens) * floats_per_token(model, config.quant && config.quant->activations);
  return e;
}

void check_memory(const MemoryEstimate& estimate) {
  if (estimate.total() > memory_bytes())
    fail_machine(
        "the run needs about {} of memory ({}), this machine has {}; lower the sizes of the model, train.batch_size or "
        "data.sequence_length",
        format_bytes(estimate.total()), estimate.breakdown(), format_bytes(memory_bytes()));
}

}  // namespace detent
