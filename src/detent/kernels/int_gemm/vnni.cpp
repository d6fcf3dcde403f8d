#include "detent/kernels/int_gemm/units.h"
#include "detent/kernels/targets.h"

#if defined(__x86_64__) && !defined(DETENT_CORE)  // the preset core calls it nowhere
#include <immintrin.h>

// What the loop includes of the library, before its functions would be compiled as the loop is.
#include <algorithm>
#include <cstring>

#include "hwy/base.h"

// From here on compiled for a processor that has VNNI, not for the baseline.
HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include "detent/kernels/int_gemm/loop-inl.h"

namespace detent::kernels::vnni {

namespace {
struct Vnni {
  using Sum = __m512i;
  static HWY_INLINE Sum zero() { return _mm512_setzero_si512(); }
  static HWY_INLINE Sum load(const int8_t* at) { return _mm512_loadu_si512(at); }
  static HWY_INLINE Sum repeat(int32_t four) { return _mm512_set1_epi32(four); }
  static HWY_INLINE Sum add_products(Sum sum, Sum x, Sum weights) { return _mm512_dpbusd_epi32(sum, x, weights); }
  static HWY_INLINE void store(Sum sum, int32_t* to) { _mm512_storeu_si512(to, sum); }
};
}  // namespace

bool available() {
  static const bool is = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
                         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return is;
}

int64_t int_gemm(const IntRows& rows, const IntPanels& panels, const IntGemmShape& shape, const IntGemmPart& part,
                 float* out) {
  HWY_NAMESPACE::IntGemmLoop<HWY_NAMESPACE::FourProducts<Vnni>>(rows, panels, shape, out).run(part);
  return part.row_end;
}

double burst() {
  constexpr int kRounds = 20000, kChains = 12;
  Vnni::Sum x = Vnni::repeat(0x01010101), sums[kChains] = {};
  for (int round = 0; round < kRounds; ++round)
    for (Vnni::Sum& sum : sums) {
      sum = Vnni::add_products(sum, x, x);
      asm volatile("" : "+v"(sum), "+v"(x));  // nothing is known of them, so nothing is left out
    }
  return 2.0 * 64 * kChains * kRounds;
}

}  // namespace detent::kernels::vnni
HWY_POP_ATTRIBUTES

#else
namespace detent::kernels::vnni {
bool available() { return false; }
int64_t int_gemm(const IntRows&, const IntPanels&, const IntGemmShape&, const IntGemmPart& part, float*) {
  return part.row_begin;
}
double burst() { return 0; }
}  // namespace detent::kernels::vnni
#endif
