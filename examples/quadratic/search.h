// One run of a training method on a problem: gradients are taken at Q(x) and applied to x.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "quadratic/problem.h"

namespace detent::quadratic {

enum class Optimizer { kSgd, kAdam };
// CAGE (arXiv 2510.18784) adds lambda * (x - Q(x)): coupled to the gradient, which under Adam passes the moments, or
// decoupled, after the optimizer's step, with the updated x.
enum class Correction { kNone, kCoupled, kDecoupled };

struct Arm {
  Optimizer optimizer;
  Correction correction;
  bool annealed;             // learning rate falls to zero along a cosine; else constant
  std::string name() const;  // "SGD CAGE coupled, annealed"; a constant rate goes without saying
};

struct Settings {
  double learning_rate = 0.1, lambda = 0;
  double noise = 0;  // deviation of the Gaussian noise on every entry of the gradient
  int64_t steps = 1000;
  double silence = 0.8;  // share of the steps before the correction begins; then it ramps up linearly
  bool ramp = true;      // false: lambda from the first step to the last
};

// A problem and the noise of its gradients, drawn once: every arm and setting meets the same noise on the same seed.
struct Case {
  Problem problem;
  Vector noise;  // [steps, kSize], deviation 1
  double rounding_value;

  Case(Loss loss, double condition, uint64_t seed, int64_t steps);
};

struct Outcome {
  double value = 0;                     // f(Q(x)) at the end: what would be shipped
  double pareto_square = 0;             // mean over the steps of ||grad f(Q(x)) + lambda (x - Q(x))||^2, noise-free
  std::vector<double> steps, value_at;  // f(Q(x)) along the way, when a curve was asked for
};

// settings.steps may be less than the case has noise for, not more.
Outcome search(const Case& on, const Arm& arm, const Settings& settings, int64_t curve_every = 0);

}  // namespace detent::quadratic
