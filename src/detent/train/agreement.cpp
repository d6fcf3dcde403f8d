#include "detent/train/agreement.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "detent/base/error.h"
#include "detent/train/losses.h"

namespace detent {

namespace {

// Sums over one chunk of predictions, in double; log-probabilities are [predictions, vocab].
void add(Agreement& sums, const at::Tensor& p, const at::Tensor& q, const Prediction* predictions) {
  sums.kl += p.exp().mul(p - q).sum().item<double>();
  sums.top1 += static_cast<double>(p.argmax(-1).eq(q.argmax(-1)).sum().item<int64_t>());
  for (int64_t i = 0; i < p.size(0); ++i) {
    sums.loss -= p[i][predictions[i].target].item<double>();
    sums.other_loss -= q[i][predictions[i].target].item<double>();
  }
}

at::Tensor log_probabilities(CausalLm& model, const Hidden& hidden, int64_t first, int64_t size) {
  return at::log_softmax(model.output_layer(hidden.states.narrow(0, first, size), hidden.table).to(at::kDouble), -1);
}

}  // namespace

Agreement compare_predictions(CausalLm& reference, CausalLm& other, const EvalWindows& windows, int64_t batch_size,
                              const EvalProgress& progress) {
  const at::NoGradGuard guard;
  Agreement sums;
  for_each_eval_batch(reference, windows, batch_size, progress, [&](const Batch& batch) {
    const std::vector<Prediction> predictions = predictions_of(batch);
    const Hidden ours = states_of(reference, batch, predictions), theirs = states_of(other, batch, predictions);
    const int64_t count = ours.states.size(0), chunk = states_at_a_time(reference);
    for (int64_t at = 0; at < count; at += chunk) {
      const int64_t size = std::min(chunk, count - at);
      add(sums, log_probabilities(reference, ours, at, size), log_probabilities(other, theirs, at, size),
          &predictions[at]);
    }
    sums.tokens += count;
  });
  const auto tokens = static_cast<double>(sums.tokens);
  return {sums.kl / tokens, sums.top1 / tokens, sums.loss / tokens, sums.other_loss / tokens, sums.tokens};
}

nlohmann::json to_json(const Agreement& a) {
  return {{"kl", a.kl},
          {"top1_agreement", a.top1},
          {"perplexity", std::exp(a.loss)},
          {"runtime_perplexity", std::exp(a.other_loss)},
          {"tokens", a.tokens}};
}

std::string to_text(const Agreement& a) {
  return fmt::format(
      "logits on {} tokens: KL {:.3g} nats, the same likeliest id for {:.2f} %; perplexity {:.4f} as trained, {:.4f} "
      "as run\n",
      a.tokens, a.kl, 100 * a.top1, std::exp(a.loss), std::exp(a.other_loss));
}

}  // namespace detent
