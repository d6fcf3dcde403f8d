#include "quadratic/problem.h"

#include <cmath>
#include <limits>

#include "detent/base/philox.h"
#include "detent/kernels/fake_quant/fake_quant.h"
#include "detent/kernels/hadamard/hadamard.h"
#include "detent/kernels/noise/noise.h"

namespace detent::quadratic {

namespace {
enum Purpose : uint32_t { kSolution = 1, kSigns = 2 };  // streams of random numbers
}

Problem::Problem(Loss loss, double condition, uint64_t seed)
    : loss_(loss), solution_(kSize), weights_(kSize), signs_(kSize) {
  const Vector zeros(kSize);
  kernels::add_gaussian(zeros.data(), solution_.data(), kSize, 1, RandomStream{seed, kSolution}, 0);
  const RandomStream signs{seed, kSigns};
  for (int64_t i = 0; i < kSize; ++i) {
    signs_[i] = signs.word(i) & 1 ? 1 : -1;
    weights_[i] = static_cast<float>(std::pow(condition, -static_cast<double>(i) / (kSize - 1)));
  }
  step_ = kernels::group_stats(solution_.data(), kSize).absmax / grid_.symmetric_top();
}

void Problem::residuals(const Vector& x, Vector& out) const {
  for (int64_t i = 0; i < kSize; ++i) out[i] = signs_[i] * (x[i] - solution_[i]);
  kernels::hadamard(out.data(), out.data(), kSize, kSize);
}

double Problem::value(const Vector& x) const {
  Vector r(kSize);
  residuals(x, r);
  double sum = 0;
  for (int64_t i = 0; i < kSize; ++i) {
    const double half_square = 0.5 * r[i] * r[i];
    sum += weights_[i] * (loss_ == Loss::kQuadratic ? half_square : std::log1p(half_square));
  }
  return sum;
}

void Problem::gradient(const Vector& x, Vector& out) const {
  residuals(x, out);
  for (int64_t i = 0; i < kSize; ++i) {
    const float slope = loss_ == Loss::kQuadratic ? out[i] : out[i] / (1 + 0.5f * out[i] * out[i]);
    out[i] = weights_[i] * slope;
  }
  kernels::hadamard(out.data(), out.data(), kSize, kSize);  // H and D are their own transposes
  for (int64_t i = 0; i < kSize; ++i) out[i] *= signs_[i];
}

void Problem::quantize(const Vector& x, Vector& out) const {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const kernels::Surrogate straight_through{-kInfinity, kInfinity};
  kernels::quantize_group(x.data(), kSize, step_, grid_, straight_through, {out.data(), nullptr, nullptr});
}

double Problem::rounding_value() const {
  Vector q(kSize);
  quantize(solution_, q);
  return value(q);
}

double Problem::descent_value() const {
  Vector q(kSize), tried(kSize);
  quantize(solution_, q);
  double best = value(q);
  for (bool improved = true; improved;) {
    improved = false;
    for (int64_t i = 0; i < kSize; ++i)
      for (const float change : {-step_, step_}) {
        Vector moved = q;
        moved[i] += change;
        quantize(moved, tried);  // keeps to the grid's ends
        const double found = value(tried);
        if (found < best * (1 - 1e-6)) q = tried, best = found, improved = true;
      }
  }
  return best;
}

}  // namespace detent::quadratic
