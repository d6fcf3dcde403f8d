#include "detent/ops/share.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

namespace detent::ops {

namespace {

// Pieces that get smaller, so that the last ones end together: a share of what is left for each thread.
class Pieces {
 public:
  Pieces(int64_t count, int64_t grain, int64_t threads) : count_(count), grain_(grain), threads_(threads) {}
  // False when there is none left.
  bool take(int64_t& first, int64_t& last) {
    first = next_.load();
    do {
      if (first >= count_) return false;
      const int64_t fair = (count_ - first) / grain_ / (kShares * threads_);
      last = std::min(count_, first + std::max<int64_t>(1, fair) * grain_);
    } while (!next_.compare_exchange_weak(first, last));
    return true;
  }

 private:
  static constexpr int64_t kShares = 4;
  const int64_t count_, grain_, threads_;
  std::atomic<int64_t> next_ = 0;
};

}  // namespace

void share(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& body, int64_t most_threads) {
  if (count <= 0) return;
  const int64_t grains = (count + grain - 1) / grain;
  const int64_t threads =
      at::in_parallel_region() ? 1 : std::min<int64_t>({grains, at::get_num_threads(), most_threads});
  if (threads <= 1) return body(0, count);
  Pieces pieces(count, grain, threads);
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    for (int64_t first, last; pieces.take(first, last);) body(first, last);
  });
}

}  // namespace detent::ops
