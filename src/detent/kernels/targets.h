// Include before any Highway header: which instruction sets the kernels are compiled for.
// SSE4, AVX2, AVX-512 with and without VNNI on x86; NEON on Arm. SSSE3 machines take the reference. Sums keep arrays of
// vectors, which vectors of unknown length (SVE, RVV) cannot do.
#pragma once
#define HWY_WANT_AVX3_DL
#ifdef DETENT_CORE  // the quick preset: AVX2 and the baseline, half the time to compile
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#else
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#endif
