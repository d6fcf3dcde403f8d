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
  // Of what the machine could do at most (harness/peak.h): for passes over memory the bandwidth, for products the rate
  // of the instructions they are made of. 0: not known.
  double share = 0;
  std::string baseline;
  double ratio = 0;           // baseline seconds / seconds; as the median of pairs where it has low and high
  double low = 0, high = 0;   // of the pairs
  double baseline_share = 0;  // the baseline's own
};

struct BenchSize {
  int64_t rows = 2048, columns = 2048;
  std::string name() const { return std::to_string(rows) + "x" + std::to_string(columns); }
};

// Over a matrix whose columns are a multiple of 128. quick: few repeats, for a smoke test.
std::vector<BenchRow> bench_kernels(bool quick, const BenchSize& size);

}  // namespace detent::kernels
