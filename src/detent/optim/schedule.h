// Learning rate over training: linear warm-up, then cosine, linear or constant down to a floor that is reached exactly.
#pragma once
#include "detent/base/options.h"

namespace detent {

struct ScheduleOptions {
  std::string name = "cosine";
  double warmup = 0.1;
  double final = 0.1;

  template <class V>
  void visit(V& v) {
    v.field("name", name, "cosine, linear or constant", Choices{"cosine", "linear", "constant"});
    v.field("warmup", warmup, "share of the steps with a linear rise", Range{0, 1});
    v.field("final", final, "learning rate of the last step, as a share of the peak (constant: unused)", Range{0, 1});
  }
};

// Learning rate of step t = 1..T as a share of the peak. With W = round(warmup * T): t / W while t <= W, then from 1 at
// t = W to `final` at t = T.
double learning_rate_share(const ScheduleOptions& options, int64_t t, int64_t total);

}  // namespace detent
