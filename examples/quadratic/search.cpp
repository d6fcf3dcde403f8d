#include "quadratic/search.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "detent/base/philox.h"
#include "detent/kernels/noise/noise.h"
#include "detent/kernels/optimizer/optimizer.h"

namespace detent::quadratic {

namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.95;  // as QuEST and CAGE train
constexpr uint32_t kNoiseStream = 3;

struct State {
  Vector x, q, gradient, noisy, first_moment, second_moment;  // all start at zero
  State() : x(kSize), q(kSize), gradient(kSize), noisy(kSize), first_moment(kSize), second_moment(kSize) {}
};

// t counts the step just done, 1..T.
double lambda_at(const Settings& s, int64_t t) {
  const double done = static_cast<double>(t) / static_cast<double>(s.steps);
  if (!s.ramp) return s.lambda;
  return done <= s.silence ? 0 : s.lambda * (done - s.silence) / (1 - s.silence);
}

double rate_at(const Arm& arm, const Settings& s, int64_t t) {
  if (!arm.annealed) return s.learning_rate;
  return s.learning_rate * 0.5 *
         (1 + std::cos(std::numbers::pi * static_cast<double>(t) / static_cast<double>(s.steps)));
}

void optimizer_step(Optimizer optimizer, double rate, double coupled, int64_t t, State& state) {
  if (optimizer == Optimizer::kSgd) {
    kernels::SgdCoefficients c{static_cast<float>(rate), 0, 0, 1};
    c.coupled = static_cast<float>(coupled);
    kernels::sgd_row(c, state.x.data(), state.noisy.data(), nullptr, state.q.data(), kSize);
    return;
  }
  kernels::AdamwCoefficients c = kernels::adamw_coefficients(rate, 0, kBeta1, kBeta2, 1e-8, t);
  c.coupled = static_cast<float>(coupled);
  kernels::adamw_row(c, state.x.data(), state.noisy.data(), state.first_moment.data(), state.second_moment.data(),
                     state.q.data(), kSize);
}

double pareto_square(const State& state, double lambda) {
  double sum = 0;
  for (int64_t i = 0; i < kSize; ++i) {
    const double entry = state.gradient[i] + lambda * (state.x[i] - state.q[i]);
    sum += entry * entry;
  }
  return sum;
}

void add_noise(const Case& on, double deviation, int64_t t, State& state) {
  const float* noise = on.noise.data() + (t - 1) * kSize;
  for (int64_t i = 0; i < kSize; ++i) state.noisy[i] = state.gradient[i] + static_cast<float>(deviation) * noise[i];
}

}  // namespace

Case::Case(Loss loss, double condition, uint64_t seed, int64_t steps)
    : problem(loss, condition, seed), noise(steps * kSize), rounding_value(problem.rounding_value()) {
  kernels::add_gaussian(noise.data(), noise.data(), steps * kSize, 1, RandomStream{seed, kNoiseStream}, 0);
}

std::string Arm::name() const {
  static constexpr const char* kCorrections[] = {"STE", "CAGE coupled", "CAGE decoupled"};
  return std::string(optimizer == Optimizer::kSgd ? "SGD " : "Adam ") + kCorrections[static_cast<int>(correction)] +
         (annealed ? ", annealed" : "");
}

Outcome search(const Case& on, const Arm& arm, const Settings& settings, int64_t curve_every) {
  const Problem& problem = on.problem;
  State state;
  Outcome out;
  problem.quantize(state.x, state.q);
  for (int64_t t = 1; t <= settings.steps; ++t) {
    const double rate = rate_at(arm, settings, t);
    // A pull beyond the grid point would be another method: rate * lambda stays below 1.
    const double lambda = rate > 0 ? std::min(lambda_at(settings, t), 1 / rate) : 0;
    problem.gradient(state.q, state.gradient);
    out.pareto_square += pareto_square(state, settings.lambda) / static_cast<double>(settings.steps);
    add_noise(on, settings.noise, t, state);
    optimizer_step(arm.optimizer, rate, arm.correction == Correction::kCoupled ? lambda : 0, t, state);
    problem.quantize(state.x, state.q);
    if (arm.correction == Correction::kDecoupled && lambda > 0) {
      kernels::pull_row(state.x.data(), state.q.data(), static_cast<float>(rate * lambda), kSize);
      problem.quantize(state.x, state.q);
    }
    if (curve_every > 0 && t % curve_every == 0) {
      out.steps.push_back(static_cast<double>(t));
      out.value_at.push_back(problem.value(state.q));
    }
  }
  out.value = problem.value(state.q);
  return out;
}

}  // namespace detent::quadratic
