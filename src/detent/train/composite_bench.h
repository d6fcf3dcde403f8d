// Our kernels against the ATen composites that they replace, in turn, in one run.
#pragma once
#include <vector>

#include "detent/kernels/harness/bench.h"

namespace detent {

// ratio: the composite's seconds over ours; above 1 ours is faster.
std::vector<kernels::BenchRow> bench_composites(bool quick);

}  // namespace detent
