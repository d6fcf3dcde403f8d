#include "detent/train/peaks.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <functional>

#include "detent/kernels/harness/peak.h"

namespace detent {

namespace {
// Cores that share something show it only when all of them work.
double of_all_threads(const std::function<double()>& measure) {
  std::atomic<double> sum = 0;
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sum += measure();
  });
  return sum;
}
}  // namespace

Peaks measure_peaks(double seconds, int64_t floats) {
  Peaks peaks;
  peaks.floats = of_all_threads([=] { return kernels::measure_float_peak(seconds); });
  peaks.integers = of_all_threads([=] { return kernels::measure_int_peak(seconds); });
  peaks.bytes = of_all_threads([=] {
    AlignedVector<float> part(static_cast<size_t>(floats / at::get_num_threads()), 1.0f);
    return kernels::measure_bandwidth(part, 5 * seconds);
  });
  return peaks;
}

}  // namespace detent
