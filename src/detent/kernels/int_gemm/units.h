// Units for integer products beside the instruction sets that Highway tells apart. Each lives in a file of its own that
// is compiled for it, and is asked for once whether processor and system offer it.
#pragma once
#include "detent/kernels/int_gemm/int_gemm.h"

namespace detent::kernels {

// Both return the first row that they left: those that fill no whole tile, or all where the unit is absent. burst: the
// unit's products alone, from registers, for some microseconds; returns operations (harness/peak.h).
namespace amx {
bool available();
int64_t int_gemm(const IntRows& rows, const IntPanels& panels, const IntGemmShape& shape, const IntGemmPart& part,
                 float* out);
double burst();
}  // namespace amx
namespace vnni {
bool available();
int64_t int_gemm(const IntRows& rows, const IntPanels& panels, const IntGemmShape& shape, const IntGemmPart& part,
                 float* out);
double burst();
}  // namespace vnni

}  // namespace detent::kernels
