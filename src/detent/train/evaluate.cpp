#include "detent/train/evaluate.h"

#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "detent/base/error.h"

namespace detent {

namespace {
at::Tensor ids_tensor(const std::vector<int64_t>& ids, const Batch& batch) {
  return at::from_blob(const_cast<int64_t*>(ids.data()), {batch.rows, batch.columns}, at::kLong).clone();
}
}  // namespace

double Evaluation::perplexity() const { return std::exp(loss); }

nlohmann::json to_json(const Evaluation& e) {
  return {{"loss", e.loss},   {"perplexity", e.perplexity()}, {"bits_per_byte", e.bits_per_byte}, {"tokens", e.tokens},
          {"bytes", e.bytes}, {"windows", e.windows},         {"dropped_windows", e.dropped}};
}

at::Tensor summed_loss(CausalLm& model, const Batch& batch) {
  const at::Tensor logits = model.logits(ids_tensor(batch.inputs, batch));
  const at::Tensor targets = ids_tensor(batch.targets, batch).view(-1);
  return at::cross_entropy_loss(logits.view({-1, logits.size(-1)}), targets, {}, at::Reduction::Sum, kNotScored);
}

Evaluation evaluate(CausalLm& model, const EvalWindows& windows, int64_t batch_size, const EvalProgress& progress) {
  if (windows.size() == 0) fail("the evaluation data holds no window of two tokens; give it more text");
  const at::NoGradGuard guard;
  Evaluation result;
  double nats = 0;
  for (int64_t first = 0; first < windows.size(); first += batch_size) {
    const Batch batch = windows.batch(first, batch_size);
    nats += summed_loss(model, batch).item<double>();
    result.tokens += batch.scored;
    if (progress) progress(std::min(first + batch_size, windows.size()), windows.size());
  }
  result.windows = windows.size();
  result.dropped = windows.dropped();
  result.bytes = windows.bytes();
  result.loss = nats / static_cast<double>(result.tokens);
  result.bits_per_byte = nats / std::numbers::ln2 / static_cast<double>(std::max<int64_t>(1, result.bytes));
  return result;
}

}  // namespace detent
