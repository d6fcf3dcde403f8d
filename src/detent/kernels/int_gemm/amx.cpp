#include "detent/kernels/int_gemm/units.h"
#include "detent/kernels/targets.h"

#if defined(__x86_64__) && !defined(DETENT_CORE)  // the preset core calls it nowhere
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <immintrin.h>

// What the loop includes of the library, before its functions would be compiled as the loop is.
#include <algorithm>
#include <cstring>

#include "hwy/base.h"

// From here on compiled for a processor that has AMX, not for the baseline.
HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,amx-tile,amx-int8")
#include "detent/kernels/int_gemm/loop-inl.h"

namespace detent::kernels::amx {

namespace {

// Tiles 0 and 1 hold sums of 16 rows each, 2 and 3 their input, 4 the weights; 5 is of burst() alone.
struct Tiles {
  static void configure() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t bytes[16] = {64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16};
    } config;
    _tile_loadconfig(&config);
  }
  static void release() { _tile_release(); }
  static HWY_INLINE void zero_sums() {
    _tile_zero(0);
    _tile_zero(1);
  }
  static HWY_INLINE void add_products(const uint8_t* rows, int64_t stride, const int8_t* panel) {
    _tile_loadd(4, panel, 64);
    _tile_loadd(2, rows, stride);
    _tile_loadd(3, rows + 16 * stride, stride);
    _tile_dpbusd(0, 2, 4);
    _tile_dpbusd(1, 3, 4);
  }
  static HWY_INLINE void store_sums(int32_t* sums) {
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
  }
};

bool permitted() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kTile = 1u << 24, kInt8 = 1u << 25;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & kTile) == 0 || (d & kInt8) == 0) return false;
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace

bool available() {
  static const bool is = permitted();
  return is;
}

int64_t int_gemm(const IntRows& rows, const IntPanels& panels, const IntGemmShape& shape, const IntGemmPart& part,
                 float* out) {
  using Products = HWY_NAMESPACE::TileProducts<Tiles>;
  if (!Products::takes(shape)) return part.row_begin;
  IntGemmPart whole = part;
  whole.row_end = part.row_begin + (part.row_end - part.row_begin) / Products::kRows * Products::kRows;
  Tiles::configure();
  HWY_NAMESPACE::IntGemmLoop<Products>(rows, panels, shape, out).run(whole);
  Tiles::release();
  return whole.row_end;
}

double burst() {
  constexpr int kRounds = 5000;
  Tiles::configure();
  Tiles::zero_sums();
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  for (int round = 0; round < kRounds; ++round) {  // four chains hide the latency
    _tile_dpbusd(0, 4, 5);
    _tile_dpbusd(1, 4, 5);
    _tile_dpbusd(2, 4, 5);
    _tile_dpbusd(3, 4, 5);
  }
  Tiles::release();
  return 2.0 * 4 * 16 * 16 * 64 * kRounds;
}

}  // namespace detent::kernels::amx
HWY_POP_ATTRIBUTES

#else
namespace detent::kernels::amx {
bool available() { return false; }
int64_t int_gemm(const IntRows&, const IntPanels&, const IntGemmShape&, const IntGemmPart& part, float*) {
  return part.row_begin;
}
double burst() { return 0; }
}  // namespace detent::kernels::amx
#endif
