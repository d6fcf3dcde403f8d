// What an optimizer may pull a weight towards. The optimizer knows nothing of quantization: it asks for one row's
// target while that row is in cache, so that no tensor of targets or errors ever exists.
#pragma once
#include <ATen/core/Tensor.h>

namespace detent {

class RowTarget {
 public:
  virtual ~RowTarget() = default;
  // Called before rows are asked for, with the weight as it then is: the place for tensor-wide statistics.
  virtual void prepare(const at::Tensor& w) = 0;
  // Whether a target depends on other rows, so that all rows must be updated before any target is asked for.
  virtual bool needs_whole_tensor() const = 0;
  // The target of one row [columns], in the weight's own coordinates. scratch: columns floats. Thread-safe.
  virtual void target(int64_t row, const float* w, float* out, float* scratch) const = 0;
  // w <- w - strength * (w - target(w)) of one row. scratch: twice the columns. Thread-safe.
  virtual void pull(int64_t row, float* w, int64_t columns, float strength, float* scratch) const = 0;
  // The targets of all rows, for weights that no kernel reads (ops/device.h).
  virtual at::Tensor whole(const at::Tensor& w) const = 0;
};

// w <- w - strength * (w - target(w)), row by row: CAGE's decoupled term, and WinQ's reset with strength alpha.
void pull_towards(const at::Tensor& w, RowTarget& target, double strength);
// Norm of w - target(w), and the norm of w: how far from its grid a weight is.
struct GridDistance {
  double squared_error = 0, squared_norm = 0;
};
GridDistance distance_to_target(const at::Tensor& w, RowTarget& target);
// || grad + lambda (w - target(w)) ||^2 of one parameter (CAGE's distance to lambda-Pareto optimality is the root of
// the sum over all); target null: the gradient alone.
double pareto_distance_squared(const at::Tensor& w, RowTarget* target, double lambda);

}  // namespace detent
