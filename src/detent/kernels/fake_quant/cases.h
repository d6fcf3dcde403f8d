// What fake quantization is tried on: every grid, hostile scales, every kind of surrogate, values at each boundary.
#pragma once
#include <cmath>
#include <string>

#include "detent/kernels/fake_quant/fake_quant.h"
#include "detent/kernels/harness/inputs.h"

namespace detent::kernels {

inline std::vector<Grid> all_grids() {
  std::vector<Grid> grids = {{GridKind::kTernary, 2}, {GridKind::kBinary, 1}, {GridKind::kE2M1, 4}};
  for (int bits = 2; bits <= 8; ++bits) grids.push_back({GridKind::kInt, bits});
  for (int bits = 2; bits <= 7; ++bits) grids.push_back({GridKind::kIntHigh, bits});
  for (int bits = 1; bits <= 8; ++bits) grids.push_back({GridKind::kMidrise, bits});
  return grids;
}

inline std::vector<float> case_scales() {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return {1.0f,    0.37f,   -0.37f, 0x1p-7f, 1e-30f,    1e-41f,
          -1e-41f, FLT_MAX, 0.0f,   -0.0f,   kInfinity, std::numeric_limits<float>::quiet_NaN()};
}

struct SurrogateCase {
  std::string name;
  Surrogate surrogate;
};

inline std::vector<SurrogateCase> surrogate_cases(const Grid& grid) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float bottom = grid.level(grid.lo()), top = grid.level(grid.hi());
  return {{"ste", {-kInfinity, kInfinity, bottom, top}},
          {"lsq", {bottom, top, bottom, top}},
          {"trust", {bottom - 0.5f, top + 0.5f, bottom, top}},
          {"clip1.3", {1.3f * bottom, 1.3f * top, bottom, top}},
          {"stretched", {-0.99f * 1.5f, 0.99f * 1.5f, -1.0f, 1.0f}},
          {"one_bit", {-1.0f, 1.0f, -1.0f, 1.0f, 0.0f}}};
}

// Every level of the grid at this scale and every point in the middle of two, and as far again beyond its ends, each
// exactly and one ULP to both sides.
inline std::vector<float> boundary_values(const Grid& grid, float scale) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> points;
  for (int code = grid.lo(); code < grid.hi(); ++code) {
    points.push_back(grid.level(code));
    points.push_back((grid.level(code) + grid.level(code + 1)) / 2);
  }
  for (int half_steps = 0; half_steps <= 3; ++half_steps) {
    const float beyond = static_cast<float>(half_steps) * grid.top_step() / 2;
    points.push_back(grid.level(grid.hi()) + beyond);
    points.push_back(grid.level(grid.lo()) - beyond);
  }
  std::vector<float> values;
  for (const float point : points) {
    const float x = scale * point;
    values.insert(values.end(), {x, std::nextafter(x, kInfinity), std::nextafter(x, -kInfinity)});
  }
  return values;
}

struct FakeQuantInput {
  std::string name;
  std::vector<float> x;
};

// n elements of every kind of input.
inline std::vector<FakeQuantInput> fake_quant_inputs(int64_t n, const Grid& grid, float scale) {
  const float spread = std::isfinite(scale) && scale != 0 ? scale * static_cast<float>(grid.hi() + 1) : 1.0f;
  const size_t length = static_cast<size_t>(n);
  std::vector<FakeQuantInput> inputs = {{"gaussian", gaussian_values(n, 1, spread)},
                                        {"zero", std::vector<float>(length, 0.0f)},
                                        {"negative zero", std::vector<float>(length, -0.0f)},
                                        {"constant", std::vector<float>(length, -2.5f * scale)}};
  inputs.push_back({"finite", with_hostile_values(inputs[0].x, finite_extremes(), 3)});
  inputs.push_back({"non_finite", with_hostile_values(inputs[0].x, non_finite(), 5)});
  std::vector<float> boundaries = boundary_values(grid, scale);
  while (boundaries.size() < length) boundaries.insert(boundaries.end(), boundaries.begin(), boundaries.end());
  boundaries.resize(length);
  inputs.push_back({"boundaries", boundaries});
  return inputs;
}

}  // namespace detent::kernels
