#include "detent/train/memory.h"

#include <ATen/Parallel.h>

#include "detent/base/error.h"
#include "detent/base/machine.h"
#include "detent/base/progress.h"
#include "detent/data/tokenizer.h"
#include "detent/import/load.h"
#include "detent/import/model_path.h"
#include "detent/ops/coded.h"
#include "detent/qat/options.h"
#include "detent/train/device.h"
#include "detent/train/losses.h"

namespace detent {

namespace {

// What a first step of any size adds to the program: code that is loaded when it runs, and for each thread packed
// operands of products and a block of logits. Measured with two threads, as the peak of a tiny run over what the
// program has when it starts.
constexpr double kFirstStep = 12e6, kThread = 4e6;

// What CUDA and LibTorch's CUDA half take of a GPU's memory before the first tensor. Not measured: no GPU was at hand.
constexpr double kCudaContext = 500e6;

DecoderConfig model_config(const TrainConfig& config) {
  if (config.model.from.empty())
    return new_model_config(config.model, open_tokenizer(config.data.tokenizer)->vocab_size(),
                            config.data.sequence_length);
  return read_model_config(resolve_model(config.model.from));
}

// Floats that the linear layers of one block keep for backward by one token: their inputs, d for q, k, v together, d
// for gate and up, q and h. Quantized, each layer keeps its own copy and a mask of bits; learned scales need what was
// quantized, too. Where both operands are codes (ops/coded.h) those that share an input share its bytes.
// Composites (ops/composite.h) have no codes, and masks of bytes.
double kept_inputs(const QuantOptions* quant, double d, double q, double h, bool kernels) {
  constexpr double kCode = 1.0 / 4;
  const double kMask = kernels ? 1.0 / 32 : 1.0 / 4, own = 2 * d + q + h;
  if (!quant || !quant->activations) return own;
  const QuantSpec input = to_spec(*quant->activations, "quant.activations");
  const bool learned = input.scale_rule == ScaleRule::kLearned;
  const bool codes = kernels && quant->weights &&
                     ops::code_pair(input, to_spec(*quant->weights, "quant.weights"), static_cast<int64_t>(d));
  const double copies = codes ? (kCode + kMask) * own : (1 + kMask) * (5 * d + q + h);
  return copies + (learned ? own : 0);
}

// Floats kept for backward by one token: what each layer's operations save, counted in models/causal_lm.cpp, plus the
// gradients that the widest operation's backward makes at once. Composites of ATen's operations keep what they multiply
// by: a norm's normalised input, silu(gate).
double floats_per_token(const DecoderConfig& m, const QuantOptions* quant, bool kernels) {
  const auto d = static_cast<double>(m.hidden_size), h = static_cast<double>(m.intermediate_size);
  const auto q = static_cast<double>(m.num_attention_heads * m.head_size());
  const auto kv = static_cast<double>(m.kv_heads() * m.head_size());
  const double norms = (kernels ? 2 : 4) * d;         // inputs, which are the residual sums
  const double attention = 2 * q + 2 * kv;            // q and k rotated, v, mixed
  const double feed_forward = (kernels ? 2 : 3) * h;  // gate, up
  const double temporary = 3 * h;                     // gradients of gate, up and their product
  return static_cast<double>(m.num_hidden_layers) *
             (norms + attention + feed_forward + kept_inputs(quant, d, q, h, kernels)) +
         2 * d + temporary;
}

// Of the positions whose logits live at once: logits, their softmax and their gradient.
double logits_at_once(const DecoderConfig& m, const QuantOptions* quant, int64_t tokens) {
  const std::optional<TensorQuantOptions> input =
      quant && !m.tie_word_embeddings ? layer_quant(*quant, "lm_head.weight").input : std::nullopt;
  const bool learned = input && to_spec(*input, "quant.activations").scale_rule == ScaleRule::kLearned;
  const int64_t positions = std::min(tokens, positions_at_a_time(m.vocab_size, learned));
  // Each part's gradient of the table is made before it is added to those of the parts before it.
  const double part = positions < tokens ? static_cast<double>(m.vocab_size * m.hidden_size) : 0;
  return 3.0 * static_cast<double>(positions * m.vocab_size) + part;
}

}  // namespace

std::string MemoryEstimate::breakdown() const {
  return fmt::format("program {}, weights {}, gradients {}, optimizer {}, activations {}", format_bytes(program),
                     format_bytes(weights), format_bytes(gradients), format_bytes(optimizer),
                     format_bytes(activations));
}

MemoryEstimate estimate_memory(const TrainConfig& config, const at::Device& device) {
  const DecoderConfig model = model_config(config);
  MemoryEstimate e;
  e.parameters = model.parameter_count();
  const double bytes = 4.0 * static_cast<double>(e.parameters);
  const int64_t tokens = config.train.batch_size * config.data.sequence_length;
  e.tokens_per_step = tokens * config.train.gradient_accumulation;
  e.program = device.is_cpu() ? resident_bytes() + kFirstStep + kThread * at::get_num_threads() : kCudaContext;
  e.available = device.is_cpu() ? memory_bytes() : find_cuda().memory_bytes;
  e.weights = config.quant ? 2 * bytes : bytes;  // the quantized values live through the backward
  if (config.train.steps == 0) return e;
  e.gradients = bytes;
  e.optimizer = config.optimizer.name == "adamw" ? 2 * bytes : config.optimizer.momentum > 0 ? bytes : 0;
  const QuantOptions* quant = config.quant ? &*config.quant : nullptr;
  const double kept = floats_per_token(model, quant, device.is_cpu()) * static_cast<double>(tokens);
  e.activations = 4.0 * (kept + logits_at_once(model, quant, tokens));
  return e;
}

void check_memory(const MemoryEstimate& estimate) {
  if (estimate.total() > estimate.available)
    fail_machine(
        "the run needs about {} of memory ({}), the machine has {}; lower the sizes of the model, train.batch_size or "
        "data.sequence_length",
        format_bytes(estimate.total()), estimate.breakdown(), format_bytes(estimate.available));
}

}  // namespace detent
