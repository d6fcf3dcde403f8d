// Matrix products of integer codes: the forward of a linear layer whose input and weight both lie on uniform grids.
// Class: exact. The sums are integers, so every instruction set and every split over threads gives the same bits; the
// few float operations at the end run in the order stated at int_gemm.
#pragma once
#include <cstdint>
#include <string>

namespace detent::kernels {

// Weights lie in panels: 16 outputs side by side, four neighbours of the reduction together, so that 64 bytes (one
// cache line, one AVX-512 register, one row of an AMX tile) meet four bytes of an input row.
inline constexpr int64_t kPanelOutputs = 16;
inline constexpr int64_t kPanelDepth = 4;
// Rows of bytes are padded to this with zeros, weights as well: AMX takes 64 of the reduction at once.
inline constexpr int64_t kDepthPadding = 64;

inline int64_t padded_depth(int64_t depth) { return (depth + kDepthPadding - 1) / kDepthPadding * kDepthPadding; }
inline int64_t padded_outputs(int64_t outputs) { return (outputs + kPanelOutputs - 1) / kPanelOutputs * kPanelOutputs; }

// Codes of the input, shifted to start at zero. A segment is a run of the reduction within which no scale changes.
struct IntRows {
  const uint8_t* bytes;  // [rows, padded_depth]
  const int32_t* terms;  // [rows, segments] added to each sum of the row; null: nothing
  const float* scales;   // [rows], or [rows, segments] when grouped
  bool grouped;
};

struct IntPanels {
  const int8_t* bytes;   // [padded_outputs / 16, padded_depth / 4, 16, 4]
  const int32_t* terms;  // [segments, padded_outputs] added to each sum of the output; null: nothing
  const float* scales;   // [segments, padded_outputs]
};

struct IntGemmShape {
  int64_t outputs, depth;
  int64_t segment;  // elements; equals depth, or divides it and is a multiple of 4
  int shift;     // the integer products count 2^shift times (both grids' levels are doubled codes where offset by 1/2)
  int max_byte;  // largest input byte in use
  int max_code;  // largest magnitude of a weight code, at most 128
  int64_t segments() const { return depth / segment; }
};

// out[r, o] = (sum over segments s of float(I) * panels.scales[s, o] [* rows.scales[r, s] if grouped])
//             [* rows.scales[r] unless grouped],
// I = 2^shift * sum_k rows.bytes[r, k] * panels.bytes[o, k] + rows.terms[r, s] + panels.terms[s, o] in int32,
// for rows [row_begin, row_end) and the outputs of panels [panel_begin, panel_end); the sum over s starts with its
// first term and goes up. out: [rows, outputs]. The caller sees to it that no I leaves int32.
struct IntGemmPart {
  int64_t row_begin, row_end, panel_begin, panel_end;
};
void int_gemm(const IntRows& rows, const IntPanels& panels, const IntGemmShape& shape, const IntGemmPart& part,
              float* out);

// The codes of one panel's outputs [up to 16, depth] into their place in the panels; what they do not fill is zero.
// sums [segments, padded_outputs]: the sum of the codes of each segment, for the outputs of this panel.
void pack_panel(const int8_t* codes, const IntGemmShape& shape, int64_t panel, int8_t* panels, int32_t* sums);
// One row: bytes = code - lo, padded with zeros to padded_depth; sums [segments] of those bytes.
void offset_row(const int8_t* codes, const IntGemmShape& shape, int lo, uint8_t* bytes, int32_t* sums);

// The way back: a panel's codes [outputs of the panel, depth], and code = byte + lo.
void unpack_panel(const int8_t* panels, const IntGemmShape& shape, int64_t panel, int8_t* codes);
void restore_row(const uint8_t* bytes, int64_t n, int lo, int8_t* codes);

// What runs int_gemm here: "AMX", "VNNI", or the name of the instruction set.
std::string int_gemm_unit();

namespace reference {  // the definition: plain loops
void int_gemm(const IntRows& rows, const IntPanels& panels, const IntGemmShape& shape, const IntGemmPart& part,
              float* out);
void pack_panel(const int8_t* codes, const IntGemmShape& shape, int64_t panel, int8_t* panels, int32_t* sums);
void offset_row(const int8_t* codes, const IntGemmShape& shape, int lo, uint8_t* bytes, int32_t* sums);
void unpack_panel(const int8_t* panels, const IntGemmShape& shape, int64_t panel, int8_t* codes);
void restore_row(const uint8_t* bytes, int64_t n, int lo, int8_t* codes);
}  // namespace reference

}  // namespace detent::kernels
