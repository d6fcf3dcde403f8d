// Integer products with the instructions each processor has for them. Highway 1.0.3 knows none of these, so they are
// intrinsics behind its dispatch: SSE4 and other baselines take the reference.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/int_gemm/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include "detent/kernels/int_gemm/loop-inl.h"
#include "detent/kernels/int_gemm/units.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX2
struct Avx2 {
  using Sum = __m256i;
  static constexpr int kVectors = 2, kBytes = 32;
  static HWY_INLINE Sum zero() { return _mm256_setzero_si256(); }
  static HWY_INLINE Sum load(const int8_t* at) { return _mm256_loadu_si256(reinterpret_cast<const Sum*>(at)); }
  static HWY_INLINE Sum repeat(int32_t four) { return _mm256_set1_epi32(four); }
  static HWY_INLINE Sum add_products(Sum sum, Sum x, Sum weights) {
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(x, weights));
  }
  static HWY_INLINE void widen(Sum sum, int shift, int32_t* to, bool add) {
    const Sum wide = _mm256_slli_epi32(_mm256_madd_epi16(sum, _mm256_set1_epi16(1)), shift);
    Sum* at = reinterpret_cast<Sum*>(to);
    _mm256_storeu_si256(at, add ? _mm256_add_epi32(_mm256_loadu_si256(at), wide) : wide);
  }
};
using Products = PairProducts<Avx2>;
#elif HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
struct Avx512 {
  using Sum = __m512i;
  static constexpr int kVectors = 1, kBytes = 64;
  static HWY_INLINE Sum zero() { return _mm512_setzero_si512(); }
  static HWY_INLINE Sum load(const int8_t* at) { return _mm512_loadu_si512(at); }
  static HWY_INLINE Sum repeat(int32_t four) { return _mm512_set1_epi32(four); }
  static HWY_INLINE Sum add_products(Sum sum, Sum x, Sum weights) {
    return _mm512_add_epi16(sum, _mm512_maddubs_epi16(x, weights));
  }
  static HWY_INLINE void widen(Sum sum, int shift, int32_t* to, bool add) {
    const Sum wide = _mm512_slli_epi32(_mm512_madd_epi16(sum, _mm512_set1_epi16(1)), shift);
    _mm512_storeu_si512(to, add ? _mm512_add_epi32(_mm512_loadu_si512(to), wide) : wide);
  }
};
using Products = PairProducts<Avx512>;
#endif

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
void int_gemm(const IntRows& rows, const IntPanels& panels, const IntGemmShape& shape, const IntGemmPart& part,
              float* out) {
  IntGemmPart left = part;
#if HWY_TARGET == HWY_AVX3_DL
  if (amx::available()) left.row_begin = amx::int_gemm(rows, panels, shape, left, out);
  if (vnni::available()) left.row_begin = vnni::int_gemm(rows, panels, shape, left, out);
#endif
  IntGemmLoop<Products>(rows, panels, shape, out).run(left);
}

void pack_panel(const int8_t* codes, const IntGemmShape& shape, int64_t panel, int8_t* panels, int32_t* sums) {
  const int64_t padded = padded_depth(shape.depth), columns = padded_outputs(shape.outputs);
  const int64_t first = panel * kPanelOutputs, whole = shape.depth / kPanelDepth * kPanelDepth;
  if (first + kPanelOutputs > shape.outputs || whole != shape.depth)
    return reference::pack_panel(codes, shape, panel, panels, sums);
  int8_t* bytes = panels + first * padded;
  for (int64_t k = 0; k < whole; k += kPanelDepth)
    for (int64_t o = 0; o < kPanelOutputs; ++o)
      std::memcpy(bytes + (k * kPanelOutputs + o * kPanelDepth), codes + o * shape.depth + k, kPanelDepth);
  std::memset(bytes + whole * kPanelOutputs, 0, static_cast<size_t>((padded - whole) * kPanelOutputs));
  for (int64_t o = 0; o < kPanelOutputs; ++o)
    for (int64_t s = 0; s < shape.segments(); ++s) {
      const int8_t* __restrict segment = codes + o * shape.depth + s * shape.segment;
      int32_t sum = 0;
      for (int64_t k = 0; k < shape.segment; ++k) sum += segment[k];
      sums[s * columns + first + o] = sum;
    }
}

void unpack_panel(const int8_t* panels, const IntGemmShape& shape, int64_t panel, int8_t* codes) {
  if ((panel + 1) * kPanelOutputs > shape.outputs || shape.depth % kPanelDepth != 0)
    return reference::unpack_panel(panels, shape, panel, codes);
  const int8_t* bytes = panels + panel * kPanelOutputs * padded_depth(shape.depth);
  for (int64_t k = 0; k < shape.depth; k += kPanelDepth)
    for (int64_t o = 0; o < kPanelOutputs; ++o)
      std::memcpy(codes + o * shape.depth + k, bytes + (k * kPanelOutputs + o * kPanelDepth), kPanelDepth);
}

void restore_row(const uint8_t* __restrict bytes, int64_t n, int lo, int8_t* __restrict codes) {
  for (int64_t k = 0; k < n; ++k) codes[k] = static_cast<int8_t>(bytes[k] + lo);
}

void offset_row(const int8_t* codes, const IntGemmShape& shape, int lo, uint8_t* bytes, int32_t* sums) {
  for (int64_t s = 0; s < shape.segments(); ++s) {
    const int8_t* __restrict from = codes + s * shape.segment;
    uint8_t* __restrict to = bytes + s * shape.segment;
    int32_t sum = 0;
    for (int64_t k = 0; k < shape.segment; ++k) {
      to[k] = static_cast<uint8_t>(from[k] - lo);
      sum += to[k];
    }
    sums[s] = sum;
  }
  const int64_t padding = padded_depth(shape.depth) - shape.depth;
  std::memset(bytes + shape.depth, 0, static_cast<size_t>(padding));
}
#else
using reference::int_gemm;
using reference::offset_row;
using reference::pack_panel;
using reference::restore_row;
using reference::unpack_panel;
#endif

}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "detent/kernels/harness/dispatch.h"

namespace detent::kernels {
HWY_EXPORT(int_gemm);
HWY_EXPORT(pack_panel);
HWY_EXPORT(offset_row);
HWY_EXPORT(unpack_panel);
HWY_EXPORT(restore_row);

void int_gemm(const IntRows& rows, const IntPanels& panels, const IntGemmShape& shape, const IntGemmPart& part,
              float* out) {
  HWY_DYNAMIC_DISPATCH(int_gemm)(rows, panels, shape, part, out);
}

void pack_panel(const int8_t* codes, const IntGemmShape& shape, int64_t panel, int8_t* panels, int32_t* sums) {
  HWY_DYNAMIC_DISPATCH(pack_panel)(codes, shape, panel, panels, sums);
}

void offset_row(const int8_t* codes, const IntGemmShape& shape, int lo, uint8_t* bytes, int32_t* sums) {
  HWY_DYNAMIC_DISPATCH(offset_row)(codes, shape, lo, bytes, sums);
}

void unpack_panel(const int8_t* panels, const IntGemmShape& shape, int64_t panel, int8_t* codes) {
  HWY_DYNAMIC_DISPATCH(unpack_panel)(panels, shape, panel, codes);
}

void restore_row(const uint8_t* bytes, int64_t n, int lo, int8_t* codes) {
  HWY_DYNAMIC_DISPATCH(restore_row)(bytes, n, lo, codes);
}

std::string int_gemm_unit() {
  std::string target = dispatch_target();
  if (target != hwy::TargetName(HWY_AVX3_DL)) return target;
  return amx::available() ? "AMX" : vnni::available() ? "VNNI" : target;
}
}  // namespace detent::kernels
#endif
