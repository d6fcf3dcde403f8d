// The summation order of every sum in the kernels: 16 virtual lanes in double, then a fixed binary tree. A sum over
// more or fewer hardware lanes would depend on the instruction set; this one does not.
#pragma once
#include <cstdint>

namespace detent::kernels {

inline constexpr int kLanes = 16;

struct LaneSum {
  double lanes[kLanes] = {};

  // Element i belongs to lane i mod 16.
  void add(int64_t i, double value) { lanes[i % kLanes] += value; }

  double total() {
    for (int half = kLanes / 2; half > 0; half /= 2)
      for (int k = 0; k < half; ++k) lanes[k] += lanes[k + half];
    return lanes[0];
  }
};

}  // namespace detent::kernels
