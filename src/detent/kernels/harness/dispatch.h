// Which instruction sets this processor offers the kernels, and a way to make tests and benchmarks use a certain one.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace detent::kernels {

// The instruction set that the kernels use now, e.g. "AVX2".
std::string dispatch_target();

struct DispatchTarget {
  std::string name;
  int64_t bit;
};
// Best first; the last one, the baseline, runs the reference on processors without SSE4.
std::vector<DispatchTarget> dispatch_targets();

// The kernels of this process use that instruction set while the object lives. Not for use beside running kernels.
class ForceTarget {
 public:
  explicit ForceTarget(const DispatchTarget& target);
  ~ForceTarget();
  ForceTarget(const ForceTarget&) = delete;
  ForceTarget& operator=(const ForceTarget&) = delete;
};

}  // namespace detent::kernels
