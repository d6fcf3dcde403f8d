// Toy problems over a 4-bit grid: minimise f(q) where every q_i is a multiple of a fixed step.
#pragma once
#include <cstdint>
#include <vector>

#include "detent/format/grid.h"

namespace detent::quadratic {

inline constexpr int64_t kSize = 64;  // unknowns: one Hadamard block
using Vector = std::vector<float>;

// f(x) = sum_i w_i loss(r_i) with r = H D (x - x*): H the orthonormal Hadamard matrix, D random signs, so that no
// coordinate of x lies along an eigenvector. Two losses:
//   kQuadratic: r^2 / 2, hence f = (x-x*)^T A (x-x*) / 2 with A = D H diag(w) H D, eigenvalues w from 1/condition to 1
//   kRobust:    log(1 + r^2 / 2), smooth and, beyond |r| = sqrt(2), not convex
enum class Loss { kQuadratic, kRobust };

class Problem {
 public:
  Problem(Loss loss, double condition, uint64_t seed);

  double value(const Vector& x) const;
  void gradient(const Vector& x, Vector& out) const;
  // The nearest point of the grid. The step is fixed, max|x*| / 7, so that the nearest point does not depend on where
  // the search stands and Q(Q(x)) = Q(x).
  void quantize(const Vector& x, Vector& out) const;

  const Vector& solution() const { return solution_; }
  double rounding_value() const;  // f(Q(x*)): solve first, round afterwards
  double descent_value() const;   // from there, single codes changed by one while that lowers f: what is at least there
  float step() const { return step_; }

 private:
  void residuals(const Vector& x, Vector& out) const;

  Loss loss_;
  Grid grid_{GridKind::kInt, 4};
  Vector solution_, weights_, signs_;
  float step_;
};

}  // namespace detent::quadratic
