#include <algorithm>

#include "detent/kernels/int_gemm/int_gemm.h"

namespace detent::kernels::reference {

namespace {
int32_t product(const uint8_t* row, const int8_t* panels, int64_t padded, int64_t output, int64_t begin, int64_t end) {
  const int8_t* panel = panels + output / kPanelOutputs * kPanelOutputs * padded;
  int32_t sum = 0;
  for (int64_t k = begin; k < end; ++k) {
    const int64_t at = k / kPanelDepth * kPanelOutputs + output % kPanelOutputs;
    sum += row[k] * panel[at * kPanelDepth + k % kPanelDepth];
  }
  return sum;
}

float one_output(const IntRows& rows, const IntPanels& panels, const IntGemmShape& shape, int64_t row, int64_t output) {
  const int64_t padded = padded_depth(shape.depth), segments = shape.segments();
  float total = 0;
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t column = s * padded_outputs(shape.outputs) + output;
    int32_t sum =
        product(rows.bytes + row * padded, panels.bytes, padded, output, s * shape.segment, (s + 1) * shape.segment);
    sum *= 1 << shape.shift;
    if (panels.terms) sum += panels.terms[column];
    if (rows.terms) sum += rows.terms[row * segments + s];
    float term = static_cast<float>(sum) * panels.scales[column];
    if (rows.grouped) term *= rows.scales[row * segments + s];
    total = s == 0 ? term : total + term;
  }
  return rows.grouped ? total : total * rows.scales[row];
}
}  // namespace

void int_gemm(const IntRows& rows, const IntPanels& panels, const IntGemmShape& shape, const IntGemmPart& part,
              float* out) {
  const int64_t first = part.panel_begin * kPanelOutputs;
  const int64_t last = std::min(part.panel_end * kPanelOutputs, shape.outputs);
  for (int64_t row = part.row_begin; row < part.row_end; ++row)
    for (int64_t output = first; output < last; ++output)
      out[row * shape.outputs + output] = one_output(rows, panels, shape, row, output);
}

void pack_panel(const int8_t* codes, const IntGemmShape& shape, int64_t panel, int8_t* panels, int32_t* sums) {
  const int64_t padded = padded_depth(shape.depth), columns = padded_outputs(shape.outputs);
  int8_t* bytes = panels + panel * kPanelOutputs * padded;
  std::fill_n(bytes, kPanelOutputs * padded, int8_t{0});
  for (int64_t o = 0; o < kPanelOutputs; ++o) {
    const int64_t output = panel * kPanelOutputs + o;
    for (int64_t s = 0; s < shape.segments(); ++s) sums[s * columns + output] = 0;
    if (output >= shape.outputs) continue;
    for (int64_t k = 0; k < shape.depth; ++k) {
      const int8_t code = codes[o * shape.depth + k];
      bytes[(k / kPanelDepth * kPanelOutputs + o) * kPanelDepth + k % kPanelDepth] = code;
      sums[k / shape.segment * columns + output] += code;
    }
  }
}

void unpack_panel(const int8_t* panels, const IntGemmShape& shape, int64_t panel, int8_t* codes) {
  const int8_t* bytes = panels + panel * kPanelOutputs * padded_depth(shape.depth);
  for (int64_t o = 0; o < std::min(kPanelOutputs, shape.outputs - panel * kPanelOutputs); ++o)
    for (int64_t k = 0; k < shape.depth; ++k)
      codes[o * shape.depth + k] = bytes[(k / kPanelDepth * kPanelOutputs + o) * kPanelDepth + k % kPanelDepth];
}

void restore_row(const uint8_t* bytes, int64_t n, int lo, int8_t* codes) {
  for (int64_t k = 0; k < n; ++k) codes[k] = static_cast<int8_t>(bytes[k] + lo);
}

void offset_row(const int8_t* codes, const IntGemmShape& shape, int lo, uint8_t* bytes, int32_t* sums) {
  std::fill_n(bytes, padded_depth(shape.depth), uint8_t{0});
  std::fill_n(sums, shape.segments(), 0);
  for (int64_t k = 0; k < shape.depth; ++k) {
    bytes[k] = static_cast<uint8_t>(codes[k] - lo);
    sums[k / shape.segment] += bytes[k];
  }
}

}  // namespace detent::kernels::reference
