// Measured limits of the threads that ATen uses, all at once.
#pragma once
#include <cstdint>

namespace detent {

// A second (kernels/harness/peak.h): operations, and bytes read and written. Takes about ten times `seconds`, and reads
// and writes so many floats between all threads.
struct Peaks {
  double floats = 0, integers = 0, bytes = 0;
};
Peaks measure_peaks(double seconds = 0.05, int64_t floats = 1 << 26);

}  // namespace detent
