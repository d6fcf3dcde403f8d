// What one core can do at most, measured for some milliseconds: chains of one instruction in registers, and passes over
// memory.
#pragma once
#include "detent/base/aligned.h"

namespace detent::kernels {

// Each runs on the calling thread in five slices of a fifth of `seconds`, or of one burst of work where that takes
// longer, and returns the median's operations, each product and each sum one, a second.
double measure_float_peak(double seconds);  // fused multiply-adds of float32
// The instructions of int_gemm_unit(): 8-bit products summed in 16 bits (AVX2, AVX-512) or in 32 (VNNI, AMX). 0 where
// the products take the reference.
double measure_int_peak(double seconds);
// Bytes a second, read and written, of multiplying an array in place: no line is read in vain, as the target of a copy
// is. The array should be some times larger than the caches.
double measure_bandwidth(AlignedVector<float>& array, double seconds);

}  // namespace detent::kernels
