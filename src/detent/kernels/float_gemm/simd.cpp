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
void float_gemm(const FloatLines& left, const FloatLines& right, int64_t depth, const FloatGemmPart& part, float* out,
                int64_t out_stride) {
  reference::float_gemm(left, right, depth, part, out, out_stride, false);
}
bool float_gemm_fuses() { return false; }
#else
bool float_gemm_fuses() { return HWY_NATIVE_FMA != 0; }

constexpr int kVectors = 2;
constexpr int kColumns = kVectors * kFloats;  // of a tile
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
constexpr int kRows = 12;                     // 24 of 32 registers hold sums
#else
constexpr int kRows = 6;  // 12 of 16
#endif
// A block of rows [kBlockRows, kDepth] stays in the second-level cache while panels of columns [kDepth, kColumns] pass
// by, a block of columns [kDepth, kBlockColumns] in the third. Sums go through memory once for each kDepth elements.
constexpr int64_t kDepth = 768, kBlockRows = 48, kBlockColumns = kFloatGemmColumns;
static_assert(kBlockRows % kRows == 0 && kBlockColumns % kColumns == 0);

// Continues the sums in out (or starts them) over `depth` elements.
HWY_NOINLINE void add_tile(const float* HWY_RESTRICT left, const float* HWY_RESTRICT right, int64_t depth, bool start,
                           float* HWY_RESTRICT out, int64_t stride) {
  FloatVec sums[kRows][kVectors];
  HWY_UNROLL(16)
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v)
      sums[r][v] = start ? hn::Zero(kF) : hn::LoadU(kF, out + r * stride + v * kFloats);
  for (int r = 0; r < kRows; ++r) hwy::Prefetch(out + (kRows + r) * stride);  // the next tile's
  for (int64_t k = 0; k < depth; ++k) {
    FloatVec columns[kVectors];
    for (int v = 0; v < kVectors; ++v) columns[v] = hn::Load(kF, right + v * kFloats);
    HWY_UNROLL(16)
    for (int r = 0; r < kRows; ++r) {
      const FloatVec row = hn::Set(kF, left[r]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(row, columns[v], sums[r][v]);
    }
    left += kRows;
    right += kColumns;
  }
  HWY_UNROLL(16)
  for (int r = 0; r < kRows; ++r)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], kF, out + r * stride + v * kFloats);
}

// A tile that reaches beyond the part: through a whole one.
HWY_NOINLINE void add_edge(const float* left, const float* right, int64_t depth, bool start, float* out, int64_t stride,
                           int64_t rows, int64_t columns) {
  HWY_ALIGN float tile[kRows * kColumns] = {};
  if (!start)
    for (int64_t r = 0; r < rows; ++r) std::copy_n(out + r * stride, columns, tile + r * kColumns);
  add_tile(left, right, depth, start, tile, kColumns);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(tile + r * kColumns, columns, out + r * stride);
}

// Packed operands of one thread.
struct PackedBlocks {
  hwy::AlignedFreeUniquePtr<float[]> left = hwy::AllocateAligned<float>(kBlockRows * kDepth),
                                     right = hwy::AllocateAligned<float>(kBlockColumns * kDepth);
};

class FloatGemm {
 public:
  FloatGemm(const FloatLines& left, const FloatLines& right, int64_t depth, float* out, int64_t stride,
            PackedBlocks& packed)
      : left_(left), right_(right), depth_(depth), out_(out), stride_(stride), packed_(packed) {}

  void run(const FloatGemmPart& part) const {
    const int64_t cuts = (depth_ + kDepth - 1) / kDepth;
    for (int64_t column = part.column_begin; column < part.column_end; column += kBlockColumns)
      for (int64_t cut = 0; cut < cuts; ++cut)  // about equal ones: a short one costs as much memory traffic
        run_columns({part.row_begin, part.row_end, column, std::min(part.column_end, column + kBlockColumns)},
                    depth_ * cut / cuts, depth_ * (cut + 1) / cuts);
  }

 private:
  void run_columns(const FloatGemmPart& part, int64_t begin, int64_t end) const {
    pack_panels<kColumns>(right_, part.column_begin, part.column_end, begin, end, packed_.right.get());
    for (int64_t row = part.row_begin; row < part.row_end; row += kBlockRows) {
      const int64_t last = std::min(part.row_end, row + kBlockRows);
      pack_panels<kRows>(left_, row, last, begin, end, packed_.left.get());
      run_block({row, last, part.column_begin, part.column_end}, begin, end);
    }
  }

  void run_block(const FloatGemmPart& block, int64_t begin, int64_t end) const {
    const int64_t depth = end - begin;
    for (int64_t column = block.column_begin; column < block.column_end; column += kColumns)
      for (int64_t row = block.row_begin; row < block.row_end; row += kRows) {
        const float* left = packed_.left.get() + (row - block.row_begin) * depth;
        const float* right = packed_.right.get() + (column - block.column_begin) * depth;
        float* out = out_ + row * stride_ + column;
        const int64_t rows = block.row_end - row, columns = block.column_end - column;
        if (rows >= kRows && columns >= kColumns)
          add_tile(left, right, depth, begin == 0, out, stride_);
        else
          add_edge(left, right, depth, begin == 0, out, stride_, std::min<int64_t>(rows, kRows),
                   std::min<int64_t>(columns, kColumns));
      }
  }

  FloatLines left_, right_;
  int64_t depth_;
  float* out_;
  int64_t stride_;
  PackedBlocks& packed_;
};

void float_gemm(const FloatLines& left, const FloatLines& right, int64_t depth, const FloatGemmPart& part, float* out,
                int64_t out_stride) {
  if (depth == 0) return reference::float_gemm(left, right, depth, part, out, out_stride, false);
  static thread_local PackedBlocks packed;
  FloatGemm(left, right, depth, out, out_stride, packed).run(part);
}
#endif
}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace detent::kernels {
HWY_EXPORT(float_gemm);
HWY_EXPORT(float_gemm_fuses);

void float_gemm(const FloatLines& left, const FloatLines& right, int64_t depth, const FloatGemmPart& part, float* out,
                int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(float_gemm)(left, right, depth, part, out, out_stride);
}

bool float_gemm_fuses() { return HWY_DYNAMIC_DISPATCH(float_gemm_fuses)(); }
}  // namespace detent::kernels
#endif
