// Measured limits of the threads that ATen uses, all at once.
#pragma once

namespace detent {

// A second (kernels/harness/peak.h): operations, and bytes read and written. Takes half a second.
struct Peaks {
  double floats = 0, integers = 0, bytes = 0;
};
Peaks measure_peaks();

}  // namespace detent
