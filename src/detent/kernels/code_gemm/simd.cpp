// code_gemm with Highway: tiles of a few rows and one or two panels of outputs, sums in registers; or float_gemm's
// blocks, whose columns are packed from codes.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/code_gemm/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include <algorithm>

#include "detent/kernels/code_gemm/code_gemm.h"
#include "detent/kernels/float_gemm/pack-inl.h"
#include "detent/kernels/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
void code_gemm(const CodePanels& w, const CodeGemmRows& rows, int64_t first, int64_t last) {
  reference::code_gemm(w, rows, first, last, false);
}
void code_gemm_pack(const CodePanels& w, int64_t first, int64_t last, int64_t begin, int64_t end, float* packed) {
  for (int64_t j = first; j < last; ++j)
    for (int64_t k = begin; k < end; ++k) *packed++ = reference::code_value(w, j, k);
}
#else

// At most half a panel wide, so that the two halves of a byte are whole vectors of outputs.
using LevelTag = hn::CappedTag<float, kCodePanel / 2>;
using LevelVec = hn::Vec<LevelTag>;
constexpr LevelTag kL;
constexpr int kLevels = static_cast<int>(hn::MaxLanes(LevelTag()));
constexpr int kPanelVectors = kCodePanel / kLevels;

// Bytes of one panel and element, widened; `from` moves on.
template <bool kHalves>
HWY_INLINE void load_levels(const uint8_t* HWY_RESTRICT& from, LevelVec base, LevelVec (&levels)[kPanelVectors]) {
  const hn::RebindToSigned<LevelTag> wide;
  const hn::Rebind<uint8_t, LevelTag> bytes;
  constexpr int kLoads = kHalves ? kPanelVectors / 2 : kPanelVectors;
  for (int v = 0; v < kLoads; ++v, from += kLevels) {
    const auto loaded = hn::PromoteTo(wide, hn::LoadU(bytes, from));
    const auto low = kHalves ? hn::And(loaded, hn::Set(wide, 15)) : loaded;
    levels[v] = hn::Add(hn::ConvertTo(kL, low), base);
    if constexpr (kHalves) levels[v + kLoads] = hn::Add(hn::ConvertTo(kL, hn::ShiftRight<4>(loaded)), base);
  }
}

// Rows [row, row + kRows), panels [panel, panel + kPanels).
template <bool kHalves, int kRows, int kPanels>
HWY_NOINLINE void multiply_tile(const CodePanels& w, const CodeGemmRows& rows, int64_t row, int64_t panel) {
  const LevelVec base = hn::Set(kL, w.packing.base);
  const float* HWY_RESTRICT x = rows.x + row * rows.x_stride;
  const int64_t groups = w.depth / w.group, stride = rows.x_stride;
  const uint8_t* HWY_RESTRICT from[kPanels];
  LevelVec sums[kRows][kPanels][kPanelVectors];
  for (int p = 0; p < kPanels; ++p) {
    from[p] = w.codes + (panel + p) * w.packing.panel_bytes(w.depth);
    for (int r = 0; r < kRows; ++r)
      for (int v = 0; v < kPanelVectors; ++v) sums[r][p][v] = hn::Zero(kL);
  }
  for (int64_t g = 0; g < groups; ++g) {
    LevelVec scales[kPanels][kPanelVectors];
    for (int p = 0; p < kPanels; ++p)
      for (int v = 0; v < kPanelVectors; ++v)
        scales[p][v] = hn::LoadU(kL, w.scales + ((panel + p) * groups + g) * kCodePanel + v * kLevels);
    for (const float* end = x + w.group; x < end; ++x)
      for (int p = 0; p < kPanels; ++p) {
        LevelVec levels[kPanelVectors];
        load_levels<kHalves>(from[p], base, levels);
        for (int v = 0; v < kPanelVectors; ++v) levels[v] = hn::Mul(scales[p][v], levels[v]);
        for (int r = 0; r < kRows; ++r)
          for (int v = 0; v < kPanelVectors; ++v)
            sums[r][p][v] = hn::MulAdd(hn::Set(kL, x[r * stride]), levels[v], sums[r][p][v]);
      }
  }
  for (int r = 0; r < kRows; ++r)
    for (int p = 0; p < kPanels; ++p) {
      HWY_ALIGN float line[kCodePanel];
      for (int v = 0; v < kPanelVectors; ++v) hn::Store(sums[r][p][v], kL, line + v * kLevels);
      const int64_t first = (panel + p) * kCodePanel;
      std::copy_n(line, std::min(kCodePanel, w.outputs - first), rows.out + (row + r) * rows.out_stride + first);
    }
}

template <bool kHalves>
void multiply_panels(const CodePanels& w, const CodeGemmRows& rows, int64_t first, int64_t last) {
  for (int64_t panel = first; panel < last; panel += 2) {
    const bool pair = panel + 2 <= last;
    for (int64_t row = 0; row < rows.rows;) {
      const int64_t left = rows.rows - row;
      if (left >= 4) {
        multiply_tile<kHalves, 4, 1>(w, rows, row, panel);
        if (pair) multiply_tile<kHalves, 4, 1>(w, rows, row, panel + 1);
        row += 4;
      } else if (left >= 2) {
        multiply_tile<kHalves, 2, 1>(w, rows, row, panel);
        if (pair) multiply_tile<kHalves, 2, 1>(w, rows, row, panel + 1);
        row += 2;
      } else {
        pair ? multiply_tile<kHalves, 1, 2>(w, rows, row, panel) : multiply_tile<kHalves, 1, 1>(w, rows, row, panel);
        row += 1;
      }
    }
  }
}

void code_gemm(const CodePanels& w, const CodeGemmRows& rows, int64_t first, int64_t last) {
  w.packing.halves ? multiply_panels<true>(w, rows, first, last) : multiply_panels<false>(w, rows, first, last);
}

// Elements [begin, end) of one panel as float_gemm packs columns; `column`: how many lie before it there.
template <bool kHalves>
void pack_values(const CodePanels& w, int64_t panel, int64_t column, int64_t begin, int64_t end, float* to) {
  const LevelVec base = hn::Set(kL, w.packing.base);
  const uint8_t* HWY_RESTRICT from = w.codes + panel * w.packing.panel_bytes(w.depth) + w.packing.panel_bytes(begin);
  const float* scales = w.scales + panel * (w.depth / w.group) * kCodePanel;
  float* lanes[kPanelVectors];
  for (int v = 0; v < kPanelVectors; ++v) {
    const int64_t lane = column + v * kLevels;
    lanes[v] = to + lane / kPanelColumns * (end - begin) * kPanelColumns + lane % kPanelColumns;
  }
  for (int64_t k = begin; k < end;) {
    LevelVec scale[kPanelVectors];
    for (int v = 0; v < kPanelVectors; ++v) scale[v] = hn::LoadU(kL, scales + k / w.group * kCodePanel + v * kLevels);
    for (const int64_t last = std::min(end, (k / w.group + 1) * w.group); k < last; ++k) {
      LevelVec levels[kPanelVectors];
      load_levels<kHalves>(from, base, levels);
      for (int v = 0; v < kPanelVectors; ++v)
        hn::StoreU(hn::Mul(scale[v], levels[v]), kL, lanes[v] + (k - begin) * kPanelColumns);
    }
  }
}

void code_gemm_pack(const CodePanels& w, int64_t first, int64_t last, int64_t begin, int64_t end, float* packed) {
  int64_t column = first;
  for (; column < last; column += kCodePanel)
    w.packing.halves ? pack_values<true>(w, column / kCodePanel, column - first, begin, end, packed)
                     : pack_values<false>(w, column / kCodePanel, column - first, begin, end, packed);
  for (column -= first; column % kPanelColumns != 0; ++column)  // that a wide tile lacks
    for (int64_t k = 0; k < end - begin; ++k)
      packed[(column / kPanelColumns * (end - begin) + k) * kPanelColumns + column % kPanelColumns] = 0;
}

#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(code_gemm);
HWY_EXPORT(code_gemm_pack);

void code_gemm(const CodePanels& w, const CodeGemmRows& rows, int64_t first, int64_t last) {
  HWY_DYNAMIC_DISPATCH(code_gemm)(w, rows, first, last);
}

void code_gemm_pack(const CodePanels& w, int64_t first, int64_t last, int64_t begin, int64_t end, float* packed) {
  HWY_DYNAMIC_DISPATCH(code_gemm_pack)(w, first, last, begin, end, packed);
}
}  // namespace detent::kernels
#endif
