// CAGE (arXiv 2510.18784): the update w -= lr * lambda_t * (w - Q(w)) on top of any optimizer, from lambda-Pareto
// optimality grad f(x) + lambda (x - Q(x)) = 0.
#pragma once
#include <optional>

#include "detent/base/options.h"

namespace detent {

struct CageOptions {
  std::optional<double> lambda, strength, pull;
  double start = 0.8;
  std::string ramp = "linear";
  std::string mode = "decoupled";

  template <class V>
  void visit(V& v) {
    v.field("lambda", lambda, "size of the correction as the paper states it (10)", kPositive);
    v.field("strength", strength,
            "its size as the sum of learning rate x lambda over training (about 2.7 in the paper)", kPositive);
    v.field("pull", pull, "its size as lambda x half a quantization step, against Adam's unit step (default 0.06)",
            kPositive);
    v.field("start", start, "share of training before the correction begins (the paper's silence ratio)", Range{0, 1});
    v.field("ramp", ramp, "linear rise of lambda to its full size at the end, or constant",
            Choices{"linear", "constant"});
    v.field("mode", mode, "decoupled: applied to the weights; coupled: added to the gradient before the moments",
            Choices{"decoupled", "coupled"});
  }
};
void check(const CageOptions& options);

// lambda_t / lambda in step t = 1..total: 0 while t/T <= start, then (t/T - start) / (1 - start), or 1.
double cage_ramp(const CageOptions& options, int64_t t, int64_t total);

// The three ways to say how large the correction is.
struct CageSize {
  double lambda, strength, pull;
};
// sum_of_rates: sum over t of lr_t * ramp_t; half_step: mean half quantization step of the weights it acts on.
CageSize cage_size(const CageOptions& options, double sum_of_rates, double half_step);

}  // namespace detent
