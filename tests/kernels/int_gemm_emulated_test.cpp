// The loops for instruction sets that this processor may lack, with their instructions written as plain loops: what
// remains unbound on such a machine are the intrinsics alone.
#include <cstring>

#include "detent/kernels/int_gemm/cases.h"
#include "detent/kernels/int_gemm/loop-inl.h"
#include "tests/support/kernel_test.h"

namespace detent::kernels {
namespace {

using test::Guarded;
using test::same_output;

// vpmaddubsw, vpaddw, vpmaddwd on vectors of kSize bytes.
template <int kSize>
struct EmulatedPairs {
  struct Sum {
    uint8_t bytes[kSize];
    int16_t word(int i) const {
      int16_t value;
      std::memcpy(&value, bytes + 2 * i, 2);
      return value;
    }
  };
  static constexpr int kVectors = 64 / kSize, kBytes = kSize;
  static Sum zero() { return {}; }
  static Sum load(const int8_t* at) {
    Sum v;
    std::memcpy(v.bytes, at, kSize);
    return v;
  }
  static Sum repeat(int32_t four) {
    Sum v;
    for (int i = 0; i < kSize; i += 4) std::memcpy(v.bytes + i, &four, 4);
    return v;
  }
  static Sum add_products(Sum sum, Sum x, Sum weights) {
    for (int i = 0; i < kSize / 2; ++i) {
      const int pair = x.bytes[2 * i] * static_cast<int8_t>(weights.bytes[2 * i]) +
                       x.bytes[2 * i + 1] * static_cast<int8_t>(weights.bytes[2 * i + 1]);
      const int saturated = std::clamp<int>(pair, INT16_MIN, INT16_MAX);
      const int16_t wrapped = static_cast<int16_t>(sum.word(i) + saturated);
      std::memcpy(sum.bytes + 2 * i, &wrapped, 2);
    }
    return sum;
  }
  static void widen(Sum sum, int shift, int32_t* to, bool add) {
    for (int i = 0; i < kSize / 4; ++i) to[i] = (add ? to[i] : 0) + ((sum.word(2 * i) + sum.word(2 * i + 1)) << shift);
  }
};

// vpdpbusd on 64 bytes.
struct EmulatedFours {
  struct Sum {
    int32_t lanes[16];
  };
  static Sum zero() { return {}; }
  static Sum load(const int8_t* at) {
    Sum v;
    std::memcpy(v.lanes, at, 64);
    return v;
  }
  static Sum repeat(int32_t four) {
    Sum v;
    for (int32_t& lane : v.lanes) lane = four;
    return v;
  }
  static Sum add_products(Sum sum, Sum x, Sum weights) {
    uint8_t left[64];
    int8_t right[64];
    std::memcpy(left, x.lanes, 64);
    std::memcpy(right, weights.lanes, 64);
    for (int i = 0; i < 64; ++i) sum.lanes[i / 4] += left[i] * right[i];
    return sum;
  }
  static void store(Sum sum, int32_t* to) { std::memcpy(to, sum.lanes, 64); }
};

// tdpbusd on two tiles of sums, as amx.cpp holds them.
struct EmulatedTiles {
  static inline int32_t sums[32][16];
  static void zero_sums() { std::memset(sums, 0, sizeof sums); }
  static void add_products(const uint8_t* rows, int64_t stride, const int8_t* panel) {
    for (int m = 0; m < 32; ++m)
      for (int k = 0; k < 16; ++k)
        for (int n = 0; n < 16; ++n)
          for (int i = 0; i < 4; ++i) sums[m][n] += rows[m * stride + 4 * k + i] * panel[64 * k + 4 * n + i];
  }
  static void store_sums(int32_t* to) { std::memcpy(to, sums, sizeof sums); }
};

template <class Products>
void check(const IntGemmCase& c, const IntGemmInput& in, int64_t rows) {
  Guarded<float> got(rows * c.shape.outputs, 1), expected(rows * c.shape.outputs, 1);
  const IntGemmPart part{0, rows, 0, padded_outputs(c.shape.outputs) / kPanelOutputs};
  reference::int_gemm(in.rows, in.weights, c.shape, part, expected.data());
  HWY_NAMESPACE::IntGemmLoop<Products>(in.rows, in.weights, c.shape, got.data()).run(part);
  ASSERT_TRUE(same_output(got, expected)) << c.name << " outputs " << c.shape.outputs << " depth " << c.shape.depth
                                          << " bytes to " << c.shape.max_byte << " codes to " << c.shape.max_code;
}

TEST(IntGemmEmulated, EveryLoopEqualsTheReference) {
  using Tiles = HWY_NAMESPACE::TileProducts<EmulatedTiles>;
  int64_t tiled = 0;
  for (const IntGemmCase& c : int_gemm_cases())
    for (const IntGemmInput& in : {spread_codes(c), extreme_codes(c)}) {
      check<HWY_NAMESPACE::PairProducts<EmulatedPairs<32>>>(c, in, c.rows);
      check<HWY_NAMESPACE::PairProducts<EmulatedPairs<64>>>(c, in, c.rows);
      check<HWY_NAMESPACE::FourProducts<EmulatedFours>>(c, in, c.rows);
      if (const int64_t rows = c.rows / Tiles::kRows * Tiles::kRows; rows > 0 && Tiles::takes(c.shape)) {
        check<Tiles>(c, in, rows);
        ++tiled;
      }
      if (HasFatalFailure()) return;
    }
  EXPECT_GT(tiled, 20);
}

}  // namespace
}  // namespace detent::kernels
