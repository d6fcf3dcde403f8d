#include "detent/train/evaluate.h"

#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "detent/base/error.h"
#include "detent/data/whitespace.h"
#include "detent/train/losses.h"

namespace detent {

double Evaluation::perplexity() const { return std::exp(loss); }

nlohmann::json to_json(const Evaluation& e) {
  nlohmann::json json = {{"loss", e.loss},
                         {"perplexity", e.perplexity()},
                         {"bits_per_byte", e.bits_per_byte},
                         {"tokens", e.tokens},
                         {"bytes", e.bytes},
                         {"windows", e.windows},
                         {"dropped_windows", e.dropped},
                         {"dropped_tokens", e.dropped_tokens}};
  if (e.words > 0) {
    json["words"] = e.words;
    json["word_perplexity"] = e.perplexity_per(e.words);
    json["byte_perplexity"] = e.perplexity_per(e.bytes);
  }
  return json;
}

double Evaluation::perplexity_per(int64_t units) const {
  return std::exp(loss * static_cast<double>(tokens) / static_cast<double>(units));
}

void count_documents(Evaluation& evaluation, const std::vector<std::string>& documents) {
  evaluation.words = evaluation.bytes = 0;
  for (const std::string& document : documents) {
    evaluation.words += count_words(document);
    evaluation.bytes += static_cast<int64_t>(document.size());
  }
  const double nats = evaluation.loss * static_cast<double>(evaluation.tokens);
  evaluation.bits_per_byte = nats / std::numbers::ln2 / static_cast<double>(std::max<int64_t>(1, evaluation.bytes));
}

namespace {

void check_not_empty(const EvalWindows& windows) {
  if (windows.size() > 0) return;
  if (windows.options().convention == Convention::kGptq && windows.dropped_ids() > 0)
    fail(
        "the evaluation data holds {} tokens, and convention gptq counts only whole windows of {}; lower the context "
        "or give it more text",
        windows.dropped_ids(), windows.options().context);
  fail("the evaluation data holds no window of two tokens; give it more text");
}

// As many windows as asked for, but no padding where it would change what the model makes of a shorter one.
Batch next_batch(const CausalLm& model, const EvalWindows& windows, int64_t first, int64_t batch_size) {
  Batch batch = windows.batch(first, batch_size);
  if (model.can_extend(batch.columns)) return batch;
  return windows.batch(first, windows.equal_length(first, batch_size));
}

}  // namespace

void for_each_eval_batch(const CausalLm& model, const EvalWindows& given, int64_t batch_size,
                         const EvalProgress& progress, const std::function<void(const Batch&)>& take) {
  check_not_empty(given);
  const EvalWindows windows = given.by_length();
  for (int64_t first = 0; first < windows.size();) {
    const Batch batch = next_batch(model, windows, first, batch_size);
    take(batch);
    first += batch.rows;
    if (progress) progress(first, windows.size());
  }
}

Evaluation evaluate(CausalLm& model, const EvalWindows& windows, int64_t batch_size, const EvalProgress& progress) {
  const at::NoGradGuard guard;
  Evaluation result;
  double nats = 0;
  for_each_eval_batch(model, windows, batch_size, progress, [&](const Batch& batch) {
    nats += prediction_losses(model, batch, predictions_of(batch)).sum(at::kDouble).item<double>();
    result.tokens += batch.scored;
  });
  result.windows = windows.size();
  result.dropped = windows.dropped();
  result.dropped_tokens = windows.dropped_ids();
  result.bytes = windows.bytes();
  result.loss = nats / static_cast<double>(result.tokens);
  result.bits_per_byte = nats / std::numbers::ln2 / static_cast<double>(std::max<int64_t>(1, result.bytes));
  return result;
}

}  // namespace detent
