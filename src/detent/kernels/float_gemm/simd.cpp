// float_gemm with Highway: tiles of a few rows and two vectors of columns in registers, over operands packed so that a
// panel of each lies in the caches meant for it (the blocking of Goto and van de Geijn, 10.1145/1356052.1356053).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "detent/kernels/float_gemm/simd.cpp"
#include "detent/kernels/targets.h"
// After targets.h, which it depends on.
#include "hwy/foreach_target.h"
// After foreach_target.h, as Highway asks.
#include "detent/kernels/float_gemm/float_gemm.h"
#include "detent/kernels/float_gemm/pack-inl.h"
#include "detent/kernels/vectors-inl.h"
#include "hwy/aligned_allocator.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
void float_gemm_pack(const FloatLines& right, int64_t first, int64_t last, int64_t begin, int64_t end, float* packed) {
  for (int64_t line = first; line < last; ++line)
    for (int64_t k = begin; k < end; ++k) *packed++ = right.data[line * right.line_stride + k * right.depth_stride];
}
void float_gemm_rows(const FloatLines& left, int64_t row_begin, int64_t row_end, const PackedColumns& right, float* out,
                     int64_t out_stride) {
  const int64_t depth = right.end - right.begin;
  for (int64_t row = row_begin; row < row_end; ++row)
    for (int64_t column = right.first; column < right.last; ++column) {
      float& sum = out[row * out_stride + column];
      if (right.begin == 0) sum = 0;
      for (int64_t k = 0; k < depth; ++k)
        sum += left.data[row * left.line_stride + (right.begin + k) * left.depth_stride] *
               right.data[(column - right.first) * depth + k];
    }
}
bool float_gemm_fuses() { return false; }
#else
bool float_gemm_fuses() { return HWY_NATIVE_FMA != 0; }

constexpr int kVectors = kPanelColumns / kFloats;  // of a tile
constexpr int64_t kFewColumns = 128;               // up to so many do not pay for packing rows
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
constexpr int kRows = 12;                          // 24 of 32 registers hold sums
#else
constexpr int kRows = 6;  // 12 of 16
#endif
static_assert(kFloatGemmRows % kRows == 0 && kFloatGemmColumns % kPanelColumns == 0);

// Continues the sums in out (or starts them) over `depth` elements, of the first kUsed vectors of a panel. left:
// packed, or rows that lie `left_stride` apart.
template <bool kPacked, int kUsed>
HWY_NOINLINE void add_tile(const float* HWY_RESTRICT left, int64_t left_stride, const float* HWY_RESTRICT right,
                           int64_t depth, bool start, float* HWY_RESTRICT out, int64_t stride) {
  FloatVec sums[kRows][kUsed];
  HWY_UNROLL(16)
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kUsed; ++v) sums[r][v] = start ? hn::Zero(kF) : hn::LoadU(kF, out + r * stride + v * kFloats);
  for (int r = 0; r < kRows; ++r) hwy::Prefetch(out + (kRows + r) * stride);  // the next tile's
  for (int64_t k = 0; k < depth; ++k) {
    FloatVec columns[kUsed];
    for (int v = 0; v < kUsed; ++v) columns[v] = hn::Load(kF, right + v * kFloats);
    HWY_UNROLL(16)
    for (int r = 0; r < kRows; ++r) {
      const FloatVec row = hn::Set(kF, left[kPacked ? r : r * left_stride]);
      for (int v = 0; v < kUsed; ++v) sums[r][v] = hn::MulAdd(row, columns[v], sums[r][v]);
    }
    left += kPacked ? kRows : 1;
    right += kPanelColumns;
  }
  HWY_UNROLL(16)
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kUsed; ++v) hn::StoreU(sums[r][v], kF, out + r * stride + v * kFloats);
}

// A tile that reaches beyond the part: through a whole one.
template <bool kPacked, int kUsed>
HWY_NOINLINE void add_edge(const float* left, int64_t left_stride, const float* right, int64_t depth, bool start,
                           float* out, int64_t stride, int64_t rows, int64_t columns) {
  HWY_ALIGN float tile[kRows * kPanelColumns] = {};
  if (!start)
    for (int64_t r = 0; r < rows; ++r) std::copy_n(out + r * stride, columns, tile + r * kPanelColumns);
  add_tile<kPacked, kUsed>(left, left_stride, right, depth, start, tile, kPanelColumns);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(tile + r * kPanelColumns, columns, out + r * stride);
}

void float_gemm_pack(const FloatLines& right, int64_t first, int64_t last, int64_t begin, int64_t end, float* packed) {
  pack_panels<kPanelColumns>(right, first, last, begin, end, packed);
}

// Rows against one panel, or the first vectors of it that hold columns; rows that are not packed fill tiles.
template <bool kPacked, int kUsed>
void run_panel(const float* left, int64_t left_stride, const float* right, int64_t depth, bool start, int64_t rows,
               int64_t columns, float* out, int64_t stride) {
  for (int64_t row = 0; row < rows; row += kRows) {
    const float* some_rows = left + row * (kPacked ? depth : left_stride);
    float* to = out + row * stride;
    if (rows - row >= kRows && columns == kUsed * kFloats)
      add_tile<kPacked, kUsed>(some_rows, left_stride, right, depth, start, to, stride);
    else
      add_edge<kPacked, kUsed>(some_rows, left_stride, right, depth, start, to, stride,
                               std::min<int64_t>(rows - row, kRows), columns);
  }
}

template <bool kPacked>
void run_block(const float* left, int64_t left_stride, const PackedColumns& right, int64_t rows, float* out,
               int64_t stride) {
  const int64_t depth = right.end - right.begin, count = right.last - right.first;
  for (int64_t column = 0; column < count; column += kPanelColumns) {
    const int64_t columns = std::min<int64_t>(count - column, kPanelColumns);
    const auto run = columns > kFloats ? run_panel<kPacked, kVectors> : run_panel<kPacked, 1>;
    run(left, left_stride, right.data + column * depth, depth, right.begin == 0, rows, columns,
        out + right.first + column, stride);
  }
}

void float_gemm_rows(const FloatLines& left, int64_t row_begin, int64_t row_end, const PackedColumns& right, float* out,
                     int64_t out_stride) {
  static thread_local auto packed = hwy::AllocateAligned<float>(kFloatGemmRows * kFloatGemmDepth);
  // A tile that the rows do not fill reads packed zeros.
  const bool as_they_lie = left.depth_stride == 1 && right.last - right.first <= kFewColumns;
  for (int64_t row = row_begin, last; row < row_end; row = last) {
    last = std::min(row_end, row + kFloatGemmRows);
    if (as_they_lie && last - row >= kRows) {
      last -= (last - row) % kRows;
      run_block<false>(left.data + row * left.line_stride + right.begin, left.line_stride, right, last - row,
                       out + row * out_stride, out_stride);
    } else {
      pack_panels<kRows>(left, row, last, right.begin, right.end, packed.get());
      run_block<true>(packed.get(), 0, right, last - row, out + row * out_stride, out_stride);
    }
  }
}
#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(float_gemm_fuses);
HWY_EXPORT(float_gemm_pack);
HWY_EXPORT(float_gemm_rows);

void float_gemm(const FloatLines& left, const FloatLines& right, int64_t depth, const FloatGemmPart& part, float* out,
                int64_t out_stride) {
  if (depth == 0) return reference::float_gemm(left, right, depth, part, out, out_stride, false);
  static thread_local auto packed = hwy::AllocateAligned<float>(kFloatGemmColumns * kFloatGemmDepth);
  for_float_gemm_blocks(part.column_begin, part.column_end, depth, [&](PackedColumns block) {
    float_gemm_pack(right, block.first, block.last, block.begin, block.end, packed.get());
    block.data = packed.get();
    float_gemm_rows(left, part.row_begin, part.row_end, block, out, out_stride);
  });
}

void float_gemm_pack(const FloatLines& right, int64_t first, int64_t last, int64_t begin, int64_t end, float* packed) {
  HWY_DYNAMIC_DISPATCH(float_gemm_pack)(right, first, last, begin, end, packed);
}

void float_gemm_rows(const FloatLines& left, int64_t row_begin, int64_t row_end, const PackedColumns& right, float* out,
                     int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(float_gemm_rows)(left, row_begin, row_end, right, out, out_stride);
}

bool float_gemm_fuses() { return HWY_DYNAMIC_DISPATCH(float_gemm_fuses)(); }
}  // namespace detent::kernels
#endif
