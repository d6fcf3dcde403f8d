// What integer products are tried on: shapes around every tile, the ranges of every pair of grids, sums at their
// limits.
#pragma once
#include <string>

#include "detent/kernels/harness/inputs.h"
#include "detent/kernels/int_gemm/int_gemm.h"

namespace detent::kernels {

struct IntGemmCase {
  std::string name;
  int64_t rows;
  IntGemmShape shape;
  bool grouped = false;
};

// Largest byte of the input, largest magnitude of a weight code: grids of 4 and 4, 8 and 4, 4 and 8, 8 and 8, 2 and 2
// bits, and doubled levels of fp4.
inline std::vector<std::pair<int, int>> code_ranges() {
  return {{15, 8}, {255, 8}, {15, 128}, {255, 128}, {3, 2}, {1, 1}, {24, 12}, {127, 127}};
}

inline std::vector<IntGemmCase> int_gemm_cases() {
  std::vector<IntGemmCase> cases;
  const auto add = [&](int64_t rows, int64_t outputs, int64_t depth, int64_t segment, bool grouped) {
    const auto [byte, code] = code_ranges()[cases.size() % code_ranges().size()];
    cases.push_back({std::to_string(rows) + " rows",
                     rows,
                     {outputs, depth, segment, static_cast<int>(cases.size() % 3), byte, code},
                     grouped});
  };
  for (int64_t rows : {1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 70})
    for (int64_t outputs : {1, 15, 16, 17, 48}) add(rows, outputs, 128, 128, false);
  for (int64_t depth : {1, 2, 3, 4, 5, 31, 63, 64, 65, 100, 129}) add(37, 20, depth, depth, false);
  for (int64_t segment : {4, 32, 64, 128})
    for (bool grouped : {false, true})
      for (int copy = 0; copy < 8; ++copy) add(35, 33, 256, segment, grouped);
  for (const auto& [byte, code] : code_ranges()) cases.push_back({"long", 5, {17, 6000, 6000, 2, byte, code}});
  return cases;
}

// Everything int_gemm reads, from codes [rows, depth] and [outputs, depth] given as functions of row and element.
struct IntGemmInput {
  std::vector<uint8_t> bytes;
  std::vector<int8_t> codes, panels;
  std::vector<int32_t> row_terms, panel_terms;
  std::vector<float> row_scales, panel_scales;
  IntRows rows;
  IntPanels weights;

  template <class Byte, class Code>
  IntGemmInput(const IntGemmCase& c, Byte byte, Code code) {
    const IntGemmShape& s = c.shape;
    const int64_t padded = padded_depth(s.depth), columns = padded_outputs(s.outputs), segments = s.segments();
    bytes.resize(static_cast<size_t>(c.rows * padded));
    for (int64_t r = 0; r < c.rows; ++r)
      for (int64_t k = 0; k < s.depth; ++k) bytes[static_cast<size_t>(r * padded + k)] = byte(r, k);
    for (int64_t o = 0; o < s.outputs; ++o)
      for (int64_t k = 0; k < s.depth; ++k) codes.push_back(code(o, k));
    panels.resize(static_cast<size_t>(columns * padded));
    panel_terms.resize(static_cast<size_t>(segments * columns));
    for (int64_t panel = 0; panel < columns / kPanelOutputs; ++panel)
      reference::pack_panel(codes.data() + panel * kPanelOutputs * s.depth, s, panel, panels.data(),
                            panel_terms.data());
    row_terms.resize(static_cast<size_t>(c.rows * segments));
    for (size_t i = 0; i < row_terms.size(); ++i) row_terms[i] = static_cast<int32_t>(i * 7 % 1001) - 500;
    row_scales = gaussian_values(c.rows * segments, 3);
    panel_scales = gaussian_values(segments * columns, 4, 0.1f);
    rows = {bytes.data(), row_terms.data(), row_scales.data(), c.grouped};
    weights = {panels.data(), panel_terms.data(), panel_scales.data()};
  }
};

// Codes that spread over their range, and codes that make every product as large as it can be.
inline IntGemmInput spread_codes(const IntGemmCase& c) {
  const int byte = c.shape.max_byte + 1, code = 2 * c.shape.max_code;
  return {c, [=](int64_t r, int64_t k) { return static_cast<uint8_t>((r * 131 + k * 17 + k * k % 7) % byte); },
          [=](int64_t o, int64_t k) {
            return static_cast<int8_t>((o * 89 + k * 23 + k * k % 11) % code - c.shape.max_code);
          }};
}
inline IntGemmInput extreme_codes(const IntGemmCase& c) {
  const int top = c.shape.max_code == 128 ? 127 : c.shape.max_code;
  return {c, [=](int64_t, int64_t) { return static_cast<uint8_t>(c.shape.max_byte); },
          [=](int64_t o, int64_t k) {
            return static_cast<int8_t>(o % 3 == 0 || (o % 3 == 1 && k % 2) ? -c.shape.max_code : top);
          }};
}

}  // namespace detent::kernels
