// Packing of float_gemm's operands: panels of a few lines side by side, element k of all lines together, lines that a
// panel lacks as zeros. Included once per instruction set.
#if defined(DETENT_KERNELS_FLOAT_GEMM_PACK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DETENT_KERNELS_FLOAT_GEMM_PACK_INL_H
#undef DETENT_KERNELS_FLOAT_GEMM_PACK_INL_H
#else
#define DETENT_KERNELS_FLOAT_GEMM_PACK_INL_H
#endif

#include <algorithm>

#include "detent/kernels/float_gemm/float_gemm.h"
#include "detent/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR

inline constexpr int kPanelColumns = 2 * kFloats;  // of a panel

// Four elements of each of four lines, turned into four lines' worth of each of four elements.
HWY_INLINE void transpose_four(const float* from, int64_t line, float* to, int64_t step) {
  const hn::FixedTag<float, 4> four;
  const hn::FixedTag<double, 2> pairs;
  const auto a = hn::LoadU(four, from), b = hn::LoadU(four, from + line);
  const auto c = hn::LoadU(four, from + 2 * line), d = hn::LoadU(four, from + 3 * line);
  const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(four, a, b));
  const auto ab_high = hn::BitCast(pairs, hn::InterleaveUpper(four, a, b));
  const auto cd_low = hn::BitCast(pairs, hn::InterleaveLower(four, c, d));
  const auto cd_high = hn::BitCast(pairs, hn::InterleaveUpper(four, c, d));
  hn::StoreU(hn::BitCast(four, hn::InterleaveLower(pairs, ab_low, cd_low)), four, to);
  hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(pairs, ab_low, cd_low)), four, to + step);
  hn::StoreU(hn::BitCast(four, hn::InterleaveLower(pairs, ab_high, cd_high)), four, to + 2 * step);
  hn::StoreU(hn::BitCast(four, hn::InterleaveUpper(pairs, ab_high, cd_high)), four, to + 3 * step);
}

// One panel of kWidth lines, `count` of them there, elements [begin, end) of the reduction.
template <int kWidth>
HWY_INLINE void pack_tile(const FloatLines& lines, int64_t first, int64_t count, int64_t begin, int64_t end,
                          float* to) {
  const float* from = lines.data + first * lines.line_stride;
  int64_t k = begin;
  if (count == kWidth && lines.depth_stride == 1) {
    for (; k + 4 <= end; k += 4, to += 4 * kWidth) {
      for (int i = 0; i + 4 <= kWidth; i += 4)
        transpose_four(from + i * lines.line_stride + k, lines.line_stride, to + i, kWidth);
      if (kWidth % 4 != 0)  // the last four lines, some of them once more
        transpose_four(from + (kWidth - 4) * lines.line_stride + k, lines.line_stride, to + kWidth - 4, kWidth);
    }
  } else if (count == kWidth && lines.line_stride == 1) {
    for (; k < end; ++k, to += kWidth)
      for (int i = 0; i < kWidth; ++i) to[i] = from[k * lines.depth_stride + i];
  }
  for (; k < end; ++k, to += kWidth)
    for (int i = 0; i < kWidth; ++i) to[i] = i < count ? from[i * lines.line_stride + k * lines.depth_stride] : 0.0f;
}

// Lines [first, last) in panels that follow each other, each [end - begin, kWidth]. Where neighbouring lines share
// cache lines, the panels take turns every few elements, so that one is read for all its panels while it is there.
template <int kWidth>
HWY_INLINE void pack_panels(const FloatLines& lines, int64_t first, int64_t last, int64_t begin, int64_t end,
                            float* to) {
  const int64_t turn = lines.line_stride == 1 ? 16 : end - begin;
  const int64_t panel = (end - begin) * kWidth;
  for (int64_t k = begin; k < end; k += turn)
    for (int64_t line = first; line < last; line += kWidth)
      pack_tile<kWidth>(lines, line, std::min<int64_t>(kWidth, last - line), k, std::min(end, k + turn),
                        to + (line - first) / kWidth * panel + (k - begin) * kWidth);
}

#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
