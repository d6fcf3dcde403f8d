// Shapes and values that every kernel's cases build on, for tests, benchmarks and fuzzing alike.
#pragma once
#include <cfloat>
#include <cstdint>
#include <limits>
#include <vector>

#include "detent/kernels/noise/noise.h"

namespace detent::kernels {

// Around every vector width and around one and two rounds of 128 elements.
inline std::vector<int64_t> case_lengths() {
  std::vector<int64_t> lengths;
  for (int64_t n = 0; n <= 67; ++n) lengths.push_back(n);
  for (int64_t n : {127, 128, 129, 130, 255, 256, 257, 1000}) lengths.push_back(n);
  return lengths;
}

// Elements between a 64-byte boundary and a buffer's first: at a boundary of every vector width, beside and between
// them.
inline std::vector<int> case_offsets(int64_t n) {
  return n > 70 ? std::vector{0, 5, 10, 15} : std::vector{0, 1, 4, 7, 8, 15};
}

inline std::vector<float> gaussian_values(int64_t n, uint64_t seed, float sigma = 1) {
  std::vector<float> values(static_cast<size_t>(n), 0.0f);
  reference::add_gaussian(values.data(), values.data(), n, sigma, {.seed = seed}, 0);
  return values;
}

inline const std::vector<float>& finite_extremes() {
  static const std::vector<float> values = {0.0f,
                                            -0.0f,
                                            std::numeric_limits<float>::denorm_min(),
                                            -std::numeric_limits<float>::denorm_min(),
                                            FLT_MIN,
                                            -FLT_MIN,
                                            FLT_MIN / 4,
                                            -1.0f,
                                            1.0f,
                                            -FLT_MAX,
                                            FLT_MAX};
  return values;
}

inline const std::vector<float>& non_finite() {
  static const std::vector<float> values = {
      std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
      std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
  return values;
}

// Gaussian values with one hostile value in every `period` elements, each kind in turn.
inline std::vector<float> with_hostile_values(std::vector<float> values, const std::vector<float>& hostile,
                                              int period) {
  for (size_t i = static_cast<size_t>(period) / 2, k = 0; i < values.size(); i += static_cast<size_t>(period), ++k)
    values[i] = hostile[k % hostile.size()];
  return values;
}

}  // namespace detent::kernels
