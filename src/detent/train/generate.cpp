#include "detent/train/generate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "detent/base/error.h"
#include "detent/base/philox.h"

namespace detent {

namespace {

constexpr uint32_t kSamplingStream = 0x67656e65;  // "gene"

std::vector<float> next_logits(CausalLm& model, const std::vector<int32_t>& ids) {
  const int64_t limit = model.config().max_position_embeddings;
  const size_t first = ids.size() > static_cast<size_t>(limit) ? ids.size() - static_cast<size_t>(limit) : 0;
  const std::vector<int64_t> window(ids.begin() + static_cast<int64_t>(first), ids.end());
  const at::Tensor input = at::tensor(window, at::kLong).unsqueeze(0);
  const at::Tensor last = model.logits(input).select(1, -1).squeeze(0).contiguous();
  return {last.const_data_ptr<float>(), last.const_data_ptr<float>() + last.numel()};
}

// Candidates in falling order of their logits, cut by top_k and top_p; weights are their unnormalised probabilities.
int32_t sample(const std::vector<float>& logits, const GenerateOptions& options, uint64_t draw) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  if (options.temperature <= 0) return order[0];
  if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(options.top_k)));
  std::vector<double> weights;
  for (int32_t id : order) weights.push_back(std::exp((logits[id] - logits[order[0]]) / options.temperature));
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  size_t kept = 0;
  double mass = 0;
  while (kept < weights.size() && (kept == 0 || mass < options.top_p * total)) mass += weights[kept++];
  double at = RandomStream{options.seed, kSamplingStream, 0}.uniform(draw) * mass;
  for (size_t i = 0; i < kept; ++i)
    if ((at -= weights[i]) < 0) return order[i];
  return order[kept - 1];
}

}  // namespace

std::vector<int32_t> generate(CausalLm& model, const std::vector<int32_t>& prompt, int32_t end_of_text,
                              const GenerateOptions& options, const std::function<void(int32_t)>& on_token) {
  if (prompt.empty()) fail("--prompt is empty; give at least one character to go on from");
  const at::NoGradGuard guard;
  std::vector<int32_t> ids = prompt, made;
  for (int64_t i = 0; i < options.tokens; ++i) {
    const int32_t id = sample(next_logits(model, ids), options, static_cast<uint64_t>(i));
    if (id == end_of_text) break;
    ids.push_back(id);
    made.push_back(id);
    on_token(id);
  }
  return made;
}

}  // namespace detent
