// Tiles of int_gemm, written once for vectors of any make: V is a set of instructions (vectors.h names them), real or
// emulated. Included once per instruction set.
#if defined(DETENT_KERNELS_INT_GEMM_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef DETENT_KERNELS_INT_GEMM_TILES_INL_H
#undef DETENT_KERNELS_INT_GEMM_TILES_INL_H
#else
#define DETENT_KERNELS_INT_GEMM_TILES_INL_H
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "detent/kernels/int_gemm/int_gemm.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace detent::kernels::HWY_NAMESPACE {

// A tile's share of the reduction: `steps` of four elements.
struct TileInput {
  const uint8_t* rows;
  int64_t stride;  // bytes from row to row
  const int8_t* panel;
  int64_t panel_stride;  // bytes from panel to panel
  int64_t steps;
  int max_byte, max_code;
};

HWY_INLINE int32_t four_bytes(const uint8_t* at) {
  int32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Multiplication in pairs into saturating 16 bits (vpmaddubsw): sums stay there for as many steps as cannot reach 2^15,
// then move to 32 bits. V::kVectors vectors hold one step of a panel.
template <class V>
struct PairProducts {
  static constexpr int kVectorBytes = sizeof(typename V::Sum);
  static constexpr int kRows = 8 / V::kVectors,
                       kPanels = 1;  // V::kVectors accumulators a row, and none of them in memory

  template <int kTileRows, int kTilePanels>
  static HWY_INLINE void products(const TileInput& in, int32_t* sums) {
    const int64_t pair = int64_t{2} * in.max_byte * in.max_code;
    if (pair <= INT16_MAX)
      whole_bytes<kTileRows>(in, pair == 0 ? in.steps : INT16_MAX / pair, sums);
    else
      half_bytes<kTileRows>(in, sums);
  }

 private:
  using Sum = typename V::Sum;

  template <int kTileRows>
  static HWY_INLINE void whole_bytes(const TileInput& in, int64_t safe_steps, int32_t* sums) {
    int64_t begin = 0;
    do {
      const int64_t end = std::min(in.steps, begin + safe_steps);
      Sum sum[kTileRows][V::kVectors];
      for (auto& row : sum)
        for (Sum& s : row) s = V::zero();
      for (int64_t k = begin; k < end; ++k) {
        Sum weights[V::kVectors];
        for (int v = 0; v < V::kVectors; ++v) weights[v] = V::load(in.panel + 64 * k + V::kBytes * v);
        HWY_UNROLL(8)
        for (int r = 0; r < kTileRows; ++r) {
          const Sum x = V::repeat(four_bytes(in.rows + r * in.stride + 4 * k));
          for (int v = 0; v < V::kVectors; ++v) sum[r][v] = V::add_products(sum[r][v], x, weights[v]);
        }
      }
      for (int r = 0; r < kTileRows; ++r)
        for (int v = 0; v < V::kVectors; ++v) V::widen(sum[r][v], 0, sums + 16 * r + 16 / V::kVectors * v, begin > 0);
      begin += safe_steps;
    } while (begin < in.steps);
  }

  // Where a pair of products alone could saturate: the input's bytes in halves of four bits, two sums.
  template <int kTileRows>
  static HWY_INLINE void half_bytes(const TileInput& in, int32_t* sums) {
    for (int r = 0; r < kTileRows; r += 2) {
      TileInput part = in;
      part.rows += r * in.stride;
      if (r + 1 < kTileRows)
        half_bytes_of<2>(part, sums + 16 * r);
      else
        half_bytes_of<1>(part, sums + 16 * r);
    }
  }

  template <int kTileRows>
  static HWY_INLINE void half_bytes_of(const TileInput& in, int32_t* sums) {
    const int64_t safe_steps = INT16_MAX / (2 * 15 * in.max_code);
    int64_t begin = 0;
    do {
      const int64_t end = std::min(in.steps, begin + safe_steps);
      Sum low[kTileRows][V::kVectors], high[kTileRows][V::kVectors];
      for (int r = 0; r < kTileRows; ++r)
        for (int v = 0; v < V::kVectors; ++v) low[r][v] = high[r][v] = V::zero();
      for (int64_t k = begin; k < end; ++k)
        for (int r = 0; r < kTileRows; ++r) {
          const int32_t x = four_bytes(in.rows + r * in.stride + 4 * k);
          const Sum x_low = V::repeat(x & 0x0f0f0f0f), x_high = V::repeat(x >> 4 & 0x0f0f0f0f);
          for (int v = 0; v < V::kVectors; ++v) {
            const Sum weights = V::load(in.panel + 64 * k + V::kBytes * v);
            low[r][v] = V::add_products(low[r][v], x_low, weights);
            high[r][v] = V::add_products(high[r][v], x_high, weights);
          }
        }
      for (int r = 0; r < kTileRows; ++r)
        for (int v = 0; v < V::kVectors; ++v) {
          int32_t* to = sums + 16 * r + 16 / V::kVectors * v;
          V::widen(low[r][v], 0, to, begin > 0);
          V::widen(high[r][v], 4, to, true);
        }
      begin += safe_steps;
    } while (begin < in.steps);
  }
};

// Multiplication in fours straight into 32 bits (vpdpbusd): nothing saturates.
template <class V>
struct FourProducts {
  static constexpr int kVectorBytes = sizeof(typename V::Sum);
  static constexpr int kRows = 8, kPanels = 2;  // each chain is as long as the instruction takes

  template <int kTileRows, int kTilePanels>
  static HWY_INLINE void products(const TileInput& in, int32_t* sums) {
    typename V::Sum sum[kTilePanels][kTileRows];
    for (auto& panel : sum)
      for (auto& s : panel) s = V::zero();
    for (int64_t k = 0; k < in.steps; ++k) {
      typename V::Sum weights[kTilePanels];
      for (int p = 0; p < kTilePanels; ++p) weights[p] = V::load(in.panel + p * in.panel_stride + 64 * k);
      HWY_UNROLL(8)
      for (int r = 0; r < kTileRows; ++r) {
        const auto x = V::repeat(four_bytes(in.rows + r * in.stride + 4 * k));
        for (int p = 0; p < kTilePanels; ++p) sum[p][r] = V::add_products(sum[p][r], x, weights[p]);
      }
    }
    for (int p = 0; p < kTilePanels; ++p)
      for (int r = 0; r < kTileRows; ++r) V::store(sum[p][r], sums + 16 * (p * kTileRows + r));
  }
};

// Tiles of 16 rows x 64 bytes (tdpbusd). The reduction comes in whole tiles: see takes().
template <class V>
struct TileProducts {
  static constexpr int kVectorBytes = 64;  // AMX has AVX-512 beside it
  static constexpr int kRows = 32, kPanels = 1;

  static bool takes(const IntGemmShape& shape) { return shape.segments() == 1 || shape.segment % kDepthPadding == 0; }

  template <int kTileRows, int kTilePanels>
  static HWY_INLINE void products(const TileInput& in, int32_t* sums) {
    static_assert(kTileRows == kRows && kTilePanels == 1);
    V::zero_sums();
    const int64_t tiles = (in.steps + 15) / 16;  // the bytes beyond are zero in both
    for (int64_t k = 0; k < tiles; ++k) V::add_products(in.rows + 64 * k, in.stride, in.panel + 1024 * k);
    V::store_sums(sums);
  }
};

}  // namespace detent::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
