#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/harness/peak.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include <algorithm>
#include <array>
#include <chrono>

#include "detent/kernels/harness/peak.h"
#include "detent/kernels/int_gemm/units.h"
#include "hwy/highway.h"

#ifndef DETENT_KERNELS_PEAK
#define DETENT_KERNELS_PEAK
namespace detent::kernels {
// burst: the work between two looks at the clock; returns how much that was.
double rate_of_slice(const auto& burst, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  double operations = 0, took = 0;
  while (took < seconds) {
    operations += burst();
    took = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  return operations / took;
}

// The median of slices: another process may take the core for one of them, and a thread that begins early has the
// memory for itself.
double rate(const auto& burst, double seconds) {
  std::array<double, 5> slices;
  for (double& slice : slices) slice = rate_of_slice(burst, seconds / slices.size());
  std::sort(slices.begin(), slices.end());
  return slices[slices.size() / 2];
}
}  // namespace detent::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kRounds = 20000;
// From here on the compiler knows nothing of the value.
template <class V>
HWY_INLINE void forget(V& value) {
#if HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
  asm volatile("" : "+m"(value.raw));
#elif defined(__x86_64__)
  asm volatile("" : "+v"(value.raw));
#else
  asm volatile("" : "+w"(value.raw));
#endif
}

double float_burst() {
  const hn::ScalableTag<float> d;
  auto x = hn::Set(d, 0.5f);
  auto a = x, b = x, c = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x;  // ten chains hide the latency
  // A product of its own for each sum: without fused instructions it would be made once for all.
  const auto add = [&](auto& sum) HWY_ATTR {
    forget(x);
    sum = hn::MulAdd(x, x, sum);
    forget(sum);
  };
  for (int round = 0; round < kRounds; ++round)
    add(a), add(b), add(c), add(e), add(f), add(g), add(h), add(i), add(j), add(k);
  return 2.0 * 10 * kRounds * static_cast<double>(hn::Lanes(d));
}

double float_peak(double seconds) { return rate(float_burst, seconds); }

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
double pair_burst() {
  const hn::ScalableTag<int16_t> d;
  auto x = hn::Set(d, int16_t{0x0101});
  auto a = x, b = x, c = x, e = x, f = x, g = x;
  const auto add = [&](auto& sum) HWY_ATTR {
#if HWY_TARGET == HWY_AVX2
    sum.raw = _mm256_add_epi16(sum.raw, _mm256_maddubs_epi16(x.raw, x.raw));
#else
    sum.raw = _mm512_add_epi16(sum.raw, _mm512_maddubs_epi16(x.raw, x.raw));
#endif
  };
  for (int round = 0; round < kRounds; ++round) {
    forget(x), add(a), forget(x), add(b), forget(x), add(c), forget(x), add(e), forget(x), add(f), forget(x), add(g);
    forget(a), forget(b), forget(c), forget(e), forget(f), forget(g);
  }
  return 4.0 * 6 * kRounds * static_cast<double>(hn::Lanes(d));  // two products and two sums a lane
}

double int_peak(double seconds) {
#if HWY_TARGET == HWY_AVX3_DL
  if (amx::available()) return rate(amx::burst, seconds);
  if (vnni::available()) return rate(vnni::burst, seconds);
#endif
  return rate(pair_burst, seconds);
}
#else
double int_peak(double) { return 0; }
#endif

}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(float_peak);
HWY_EXPORT(int_peak);
double measure_float_peak(double seconds) { return HWY_DYNAMIC_DISPATCH(float_peak)(seconds); }
double measure_int_peak(double seconds) { return HWY_DYNAMIC_DISPATCH(int_peak)(seconds); }

double measure_bandwidth(AlignedVector<float>& array, double seconds) {
  return rate(
      [&] {
        for (float& value : array) value *= -1.0f;
        return 2.0 * sizeof(float) * static_cast<double>(array.size());
      },
      seconds);
}
}  // namespace detent::kernels
#endif
