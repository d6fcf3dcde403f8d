// The loop over tiles of int_gemm and the float operations at a tile's end, for any of the Products of tiles-inl.h.
// Included once per instruction set.
#if defined(DETENT_KERNELS_INT_GEMM_LOOP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DETENT_KERNELS_INT_GEMM_LOOP_INL_H
#undef DETENT_KERNELS_INT_GEMM_LOOP_INL_H
#else
#define DETENT_KERNELS_INT_GEMM_LOOP_INL_H
#endif

#include "detent/kernels/int_gemm/tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {

// The input rows of a block stay in the second-level cache while every panel passes by.
inline constexpr int64_t kBlockBytes = 192 << 10;

// Vectors of the compiler's, as wide as the instruction set's: of a loop over 16 outputs GCC 12 makes pieces of 8, 4, 2
// and 1, and of wider vectors than there are, single elements.
template <int kBytes>
struct Lanes;
template <>
struct Lanes<32> {
  using Ints = int32_t __attribute__((vector_size(32), aligned(4), may_alias));
  using Floats = float __attribute__((vector_size(32), aligned(4), may_alias));
};
template <>
struct Lanes<64> {
  using Ints = int32_t __attribute__((vector_size(64), aligned(4), may_alias));
  using Floats = float __attribute__((vector_size(64), aligned(4), may_alias));
};

template <class Products>
class IntGemmLoop {
 public:
  IntGemmLoop(const IntRows& rows, const IntPanels& panels, const IntGemmShape& shape, float* out)
      : rows_(rows),
        panels_(panels),
        shape_(shape),
        padded_(padded_depth(shape.depth)),
        columns_(padded_outputs(shape.outputs)),
        segments_(shape.segments()),
        out_(out) {}

  HWY_INLINE void run(const IntGemmPart& part) const {
    const int64_t block = std::max<int64_t>(1, kBlockBytes / padded_ / Products::kRows) * Products::kRows;
    for (int64_t begin = part.row_begin; begin < part.row_end; begin += block) {
      const int64_t count = std::min(part.row_end - begin, block);
      int64_t panel = part.panel_begin;
      for (; panel + Products::kPanels <= part.panel_end; panel += Products::kPanels)
        rows<Products::kPanels>(begin, count, panel);
      for (; panel < part.panel_end; ++panel) rows<1>(begin, count, panel);
    }
  }

 private:
  using Ints = typename Lanes<Products::kVectorBytes>::Ints;
  using Floats = typename Lanes<Products::kVectorBytes>::Floats;
  static constexpr int kLanes = Products::kVectorBytes / 4;

  template <int kTilePanels>
  HWY_INLINE void rows(int64_t row, int64_t count, int64_t panel) const {
    for (; count >= Products::kRows; row += Products::kRows, count -= Products::kRows)
      tile<Products::kRows, kTilePanels>(row, panel);
    rest<Products::kRows - 1, kTilePanels>(row, count, panel);
  }

  // The last rows of a block, fewer than a tile has.
  template <int kTileRows, int kTilePanels>
  HWY_INLINE void rest(int64_t row, int64_t count, int64_t panel) const {
    if constexpr (kTileRows > 0 && Products::kRows <= 8) {
      if (count == kTileRows) return tile<kTileRows, kTilePanels>(row, panel);
      rest<kTileRows - 1, kTilePanels>(row, count, panel);
    }
  }

  // Of the output: what is in no cache is on its way while products are summed. (The library's Prefetch does not
  // compile in sources that are not optimized, as the preset core has them.)
  template <int kTileRows, int kTilePanels>
  HWY_INLINE void prefetch(int64_t row, int64_t panel) const {
    for (int r = 0; r < kTileRows; ++r)
      for (int p = 0; p < kTilePanels; ++p)
        __builtin_prefetch(out_ + (row + r) * shape_.outputs + (panel + p) * kPanelOutputs);
  }

  template <int kTileRows, int kTilePanels>
  HWY_NOINLINE void tile(int64_t row, int64_t panel) const {
    constexpr int kSums = kTileRows * kPanelOutputs;
    alignas(64) int32_t sums[kTilePanels * kSums];
    alignas(64) float totals[kTilePanels * kSums];
    const int64_t steps = (shape_.segment + kPanelDepth - 1) / kPanelDepth;
    const int64_t panel_bytes = kPanelOutputs * padded_;
    TileInput in{rows_.bytes + row * padded_,
                 padded_,
                 panels_.bytes + panel * panel_bytes,
                 panel_bytes,
                 steps,
                 shape_.max_byte,
                 shape_.max_code};
    prefetch<kTileRows, kTilePanels>(row, panel);
    int64_t s = 0;
    do {
      Products::template products<kTileRows, kTilePanels>(in, sums);
      for (int p = 0; p < kTilePanels; ++p)
        for (int r = 0; r < kTileRows; ++r) {
          const int at = p * kSums + r * 16;
          add_segment(sums + at, row + r, s, s * columns_ + (panel + p) * kPanelOutputs, totals + at);
        }
      in.rows += shape_.segment;
      in.panel += shape_.segment * kPanelOutputs;
    } while (++s < segments_);
    for (int r = 0; r < kTileRows; ++r)
      for (int p = 0; p < kTilePanels; ++p) finish(totals + p * kSums + r * 16, row + r, panel + p);
  }

  // One segment's sums of the 16 outputs from `column` on, as floats, onto the totals.
  HWY_INLINE void add_segment(const int32_t* sums, int64_t row, int64_t s, int64_t column, float* totals) const {
    const int64_t at = row * segments_ + s;
    const int32_t row_term = rows_.terms ? rows_.terms[at] : 0;
    for (int i = 0; i < kPanelOutputs; i += kLanes) {
      Ints whole = (*reinterpret_cast<const Ints*>(sums + i) << shape_.shift) + row_term;
      if (panels_.terms) whole += *reinterpret_cast<const Ints*>(panels_.terms + column + i);
      const Floats scales = *reinterpret_cast<const Floats*>(panels_.scales + column + i);
      Floats term = __builtin_convertvector(whole, Floats) * scales;
      if (rows_.grouped) term *= rows_.scales[at];
      Floats& total = *reinterpret_cast<Floats*>(totals + i);
      total = s == 0 ? term : total + term;
    }
  }

  HWY_INLINE void finish(const float* totals, int64_t row, int64_t panel) const {
    float* to = out_ + row * shape_.outputs + panel * kPanelOutputs;
    const float scale = rows_.grouped ? 1.0f : rows_.scales[row];
    const int64_t count = std::min(kPanelOutputs, shape_.outputs - panel * kPanelOutputs);
    if (count == kPanelOutputs)
      for (int i = 0; i < kPanelOutputs; i += kLanes)
        *reinterpret_cast<Floats*>(to + i) = *reinterpret_cast<const Floats*>(totals + i) * scale;
    else
      for (int64_t i = 0; i < count; ++i) to[i] = totals[i] * scale;
  }

  IntRows rows_;
  IntPanels panels_;
  IntGemmShape shape_;
  int64_t padded_, columns_, segments_;
  float* out_;
};

}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
