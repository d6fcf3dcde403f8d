#include "detent/optim/row_target.h"

#include <ATen/ATen.h>

#include <vector>

#include "detent/base/aligned.h"
#include "detent/kernels/optimizer/optimizer.h"
#include "detent/ops/device.h"
#include "detent/ops/fake_quant.h"
#include "detent/optim/composite.h"

namespace detent {

void pull_towards(const at::Tensor& w, RowTarget& target, double strength) {
  target.prepare(w);
  if (!ops::has_kernels(w)) return composite::pull(w, target.whole(w), static_cast<float>(strength));
  const ops::Rows shape = ops::rows_of(w);
  float* data = w.data_ptr<float>();
  w.unsafeGetTensorImpl()->bump_version();
  ops::for_rows(shape.rows, shape.columns, [&](int64_t first, int64_t last) {
    AlignedVector<float> buffer(2 * shape.columns);
    for (int64_t r = first; r < last; ++r)
      target.pull(r, data + r * shape.columns, shape.columns, static_cast<float>(strength), buffer.data());
  });
}

GridDistance distance_to_target(const at::Tensor& w, RowTarget& target) {
  target.prepare(w);
  if (!ops::has_kernels(w))
    return {composite::sum_squares(w - target.whole(w)).item<double>(), composite::sum_squares(w).item<double>()};
  const ops::Rows shape = ops::rows_of(w);
  const float* data = w.const_data_ptr<float>();
  std::vector<GridDistance> rows(shape.rows);
  ops::for_rows(shape.rows, shape.columns, [&](int64_t first, int64_t last) {
    AlignedVector<float> buffer(2 * shape.columns);
    for (int64_t r = first; r < last; ++r) {
      const float* row = data + r * shape.columns;
      target.target(r, row, buffer.data(), buffer.data() + shape.columns);
      for (int64_t i = 0; i < shape.columns; ++i) buffer[i] = row[i] - buffer[i];
      rows[r] = {kernels::sum_squares(buffer.data(), shape.columns), kernels::sum_squares(row, shape.columns)};
    }
  });
  GridDistance all;
  for (const GridDistance& row : rows) {
    all.squared_error += row.squared_error;
    all.squared_norm += row.squared_norm;
  }
  return all;
}

double pareto_distance_squared(const at::Tensor& w, RowTarget* target, double lambda) {
  if (!w.grad().defined()) return 0;
  at::Tensor sum = w.grad().contiguous();
  if (target && lambda != 0) {
    const at::NoGradGuard guard;
    at::Tensor pulled = w.detach().clone();
    pull_towards(pulled, *target, 1.0);
    sum = sum + (w.detach() - pulled) * lambda;
  }
  if (!ops::has_kernels(sum)) return composite::sum_squares(sum).item<double>();
  return kernels::sum_squares(sum.const_data_ptr<float>(), sum.numel());
}

}  // namespace detent
