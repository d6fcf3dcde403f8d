#include "detent/optim/schedule.h"

#include <cmath>
#include <numbers>

namespace detent {

double learning_rate_share(const ScheduleOptions& options, int64_t t, int64_t total) {
  const int64_t warmup = std::llround(options.warmup * static_cast<double>(total));
  if (t <= warmup) return static_cast<double>(t) / static_cast<double>(warmup);
  if (options.name == "constant") return 1;
  const double progress = static_cast<double>(t - warmup) / static_cast<double>(total - warmup);
  const double remaining = options.name == "linear" ? 1 - progress : 0.5 * (1 + std::cos(std::numbers::pi * progress));
  return options.final + (1 - options.final) * remaining;
}

}  // namespace detent
