#include "detent/train/generate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "detent/base/error.h"
#include "detent/base/philox.h"

namespace detent {

namespace {

constexpr uint32_t kSamplingStream = 0x67656e65;  // "gene"
using Clock = std::chrono::steady_clock;

// Reads ids as they come and keeps what attention needs of those before.
class Reader {
 public:
  explicit Reader(CausalLm& model) : model_(model) {}

  std::vector<float> next_logits(const std::vector<int32_t>& ids) {
    if (!model_.can_extend(static_cast<int64_t>(ids.size()))) cache_.clear();  // all is rotated anew
    const std::vector<int64_t> fresh(ids.begin() + cache_.length(), ids.end());
    const at::Tensor ids_here = at::tensor(fresh, at::kLong).unsqueeze(0).to(model_.device());
    const at::Tensor last = model_.next_logits(ids_here, cache_).cpu().contiguous();
    return {last.const_data_ptr<float>(), last.const_data_ptr<float>() + last.numel()};
  }

 private:
  CausalLm& model_;
  nn::KvCache cache_;
};

void penalize(std::vector<float>& logits, const std::vector<int32_t>& context, double penalty) {
  std::vector<int32_t> seen = context;
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  for (const int32_t id : seen) {
    float& logit = logits.at(static_cast<size_t>(id));
    logit = static_cast<float>(logit < 0 ? logit * penalty : logit / penalty);
  }
}

// Ids in falling order of their logits, equal ones by number, sorted no further than asked for.
class Ranking {
 public:
  explicit Ranking(const std::vector<float>& logits) : logits_(logits), order_(logits.size()) {
    std::iota(order_.begin(), order_.end(), 0);
  }
  int32_t operator[](size_t rank) {
    while (rank >= sorted_) {
      const size_t end = std::min(order_.size(), std::max<size_t>(64, sorted_ * 4));
      std::partial_sort(
          order_.begin() + at(sorted_), order_.begin() + at(end), order_.end(),
          [&](int32_t a, int32_t b) { return logits_[a] > logits_[b] || (logits_[a] == logits_[b] && a < b); });
      sorted_ = end;
    }
    return order_[rank];
  }

 private:
  static int64_t at(size_t i) { return static_cast<int64_t>(i); }
  const std::vector<float>& logits_;
  std::vector<int32_t> order_;
  size_t sorted_ = 0;
};

}  // namespace

int32_t sample(std::vector<float> logits, const std::vector<int32_t>& context, const GenerateOptions& options,
               uint64_t draw) {
  if (options.repetition_penalty != 1) penalize(logits, context, options.repetition_penalty);
  const auto best = std::max_element(logits.begin(), logits.end());
  if (options.temperature <= 0) return static_cast<int32_t>(best - logits.begin());
  Ranking ranking(logits);
  const auto weight = [&](int32_t id) { return std::exp((logits[id] - *best) / options.temperature); };
  const size_t candidates =
      options.top_k > 0 ? std::min(logits.size(), static_cast<size_t>(options.top_k)) : logits.size();
  double total = 0;
  if (options.top_k > 0)
    for (size_t i = 0; i < candidates; ++i) total += weight(ranking[i]);
  else
    for (size_t id = 0; id < logits.size(); ++id) total += weight(static_cast<int32_t>(id));
  size_t kept = candidates;
  double mass = total;
  if (options.top_p < 1)
    for (kept = 0, mass = 0; kept < candidates && (kept == 0 || mass < options.top_p * total);)
      mass += weight(ranking[kept++]);
  double left = RandomStream{options.seed, kSamplingStream, 0}.uniform(draw) * mass;
  for (size_t i = 0; i + 1 < kept; ++i)
    if ((left -= weight(ranking[i])) < 0) return ranking[i];
  return ranking[kept - 1];
}

Generated generate(CausalLm& model, const std::vector<int32_t>& prompt, const GenerateOptions& options,
                   const std::function<bool(int32_t)>& on_token) {
  const auto limit = static_cast<size_t>(model.config().context_limit());
  if (prompt.empty()) fail("--prompt is empty; give at least one character to go on from");
  if (prompt.size() > limit)
    fail("the prompt has {} ids, the model's context holds {}; shorten it", prompt.size(), limit);
  const at::NoGradGuard guard;
  Reader reader(model);
  std::vector<int32_t> ids = prompt;
  Generated made;
  auto begin = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  for (int64_t i = 0; i < options.tokens; ++i) {
    if (ids.size() > limit) {
      made.reason = StopReason::kContextFull;
      break;
    }
    const std::vector<float> logits = reader.next_logits(ids);
    if (i == 0) {
      made.prompt_seconds = seconds();
      begin = Clock::now();
    }
    const int32_t id = sample(logits, ids, options, static_cast<uint64_t>(i));
    if (std::find(options.stop.begin(), options.stop.end(), id) != options.stop.end()) {
      made.reason = StopReason::kStopId;
      break;
    }
    ids.push_back(id);
    made.ids.push_back(id);
    if (!on_token(id)) {
      made.reason = StopReason::kCaller;
      break;
    }
  }
  made.seconds = seconds();
  return made;
}

}  // namespace detent
