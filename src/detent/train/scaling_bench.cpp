// How the cost of a step grows with the tokens of a batch and with the parameters of the model.
#include <cmath>

#include "detent/train/step_bench.h"

namespace detent {

namespace {

struct Scale {
  const char* over;
  double size;
  StepShape shape;
};

StepShape shape_with(int64_t hidden, int64_t rows, int64_t columns) {
  StepShape shape{{}, rows, columns};
  shape.config.hidden_size = hidden;
  shape.config.intermediate_size = 3 * hidden;
  shape.config.num_attention_heads = hidden / 32;
  return shape;
}

// Batches of 2 to 16 rows; models of 128 to 1024 channels and 4 layers.
std::vector<Scale> scales(bool quick) {
  std::vector<Scale> all;
  const int64_t hidden = quick ? 64 : 256, columns = quick ? 16 : 256;
  for (int64_t rows : {2, 4, 8, 16})
    all.push_back({"tokens", static_cast<double>(rows * columns), shape_with(hidden, rows, columns)});
  for (int64_t factor : {1, 2, 4, 8}) {
    const StepShape shape = shape_with((quick ? 32 : 128) * factor, 2, columns);
    all.push_back({"parameters", static_cast<double>(shape.config.parameter_count()), shape});
  }
  return all;
}

double slope(const std::vector<double>& x, const std::vector<double>& y) {
  double mx = 0, my = 0, xy = 0, xx = 0;
  const auto n = static_cast<double>(x.size());
  for (size_t i = 0; i < x.size(); ++i) mx += std::log(x[i]) / n, my += std::log(y[i]) / n;
  for (size_t i = 0; i < x.size(); ++i) {
    const double dx = std::log(x[i]) - mx;
    xy += dx * (std::log(y[i]) - my);
    xx += dx * dx;
  }
  return xy / xx;
}

double step_seconds(const char* kind, const StepShape& shape, int rounds) {
  BenchArm arm(arm_kind(kind), shape);
  arm.step();
  std::vector<double> taken;
  for (int round = 0; round < rounds; ++round) taken.push_back(arm.step().total());
  return median_of(std::move(taken));
}

}  // namespace

std::vector<ScalingRow> bench_scaling(bool quick) {
  std::vector<ScalingRow> rows;
  for (const char* arm : {"fp32", "quest_w4a4_half"})
    for (const char* over : {"tokens", "parameters"}) rows.push_back({arm, over, {}, {}, 0});
  for (const Scale& scale : scales(quick))
    for (ScalingRow& row : rows)
      if (row.over == scale.over) {
        row.size.push_back(scale.size);
        row.seconds.push_back(step_seconds(row.arm.c_str(), scale.shape, quick ? 2 : 3));
      }
  for (ScalingRow& row : rows) row.exponent = slope(row.size, row.seconds);
  return rows;
}

}  // namespace detent
