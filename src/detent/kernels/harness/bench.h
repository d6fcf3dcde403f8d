// Measures every kernel against its reference and against a copy of the same tensor made in the same run.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "detent/kernels/harness/dispatch.h"  // dispatch_target() belongs to every printed table

namespace detent::kernels {

struct BenchRow {
  std::string name, shape;
  int threads = 1;
  double seconds = 0;   // median of repeats
  double copies = 0;    // seconds / seconds of copying the tensor, interleaved with it
  double gb_per_s = 0;  // bytes read and written, as the algorithm needs them
  std::string baseline;
  double ratio = 0;  // baseline seconds / seconds
};

// Over a matrix [size, size], size a multiple of 128. quick: a small tensor and few repeats, for a smoke test.
std::vector<BenchRow> bench_kernels(bool quick, int64_t size = 2048);

}  // namespace detent::kernels
