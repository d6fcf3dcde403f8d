#include <algorithm>

#include "detent/kernels/code_gemm/code_gemm.h"

namespace detent::kernels {

namespace {

int level_byte(int code, const Grid& grid) { return static_cast<int>(grid.stride()) * (code - grid.lo()); }

}  // namespace

CodePacking code_packing(const Grid& grid) { return {level_byte(grid.hi(), grid) < 16, grid.level(grid.lo())}; }

void pack_codes(const int8_t* codes, int64_t outputs, int64_t depth, const Grid& grid, uint8_t* panels) {
  const CodePacking packing = code_packing(grid);
  const int64_t step = packing.panel_bytes(1), panel_bytes = packing.panel_bytes(depth);
  std::fill_n(panels, (outputs + kCodePanel - 1) / kCodePanel * panel_bytes, uint8_t{0});
  for (int64_t j = 0; j < outputs; ++j) {
    const int64_t lane = j % kCodePanel;
    uint8_t* to = panels + j / kCodePanel * panel_bytes + lane % step;
    const int shift = lane < step ? 0 : 4;
    for (int64_t k = 0; k < depth; ++k)
      to[k * step] |= static_cast<uint8_t>(level_byte(codes[j * depth + k], grid) << shift);
  }
}

void pack_code_scales(const float* scales, int64_t scale_stride, int64_t outputs, int64_t groups, float* panels) {
  std::fill_n(panels, (outputs + kCodePanel - 1) / kCodePanel * groups * kCodePanel, 0.0f);
  for (int64_t j = 0; j < outputs; ++j)
    for (int64_t g = 0; g < groups; ++g)
      panels[(j / kCodePanel * groups + g) * kCodePanel + j % kCodePanel] = scales[j * scale_stride + g];
}

}  // namespace detent::kernels
