// A grid: which multiples of the scale a quantized value may take, and how a number is rounded onto them.
// value = d * level(code), code an int8 in [lo, hi]. Every grid but e2m1 is uniform: level = stride * (code + offset).
#pragma once
#include <string>
#include <vector>

namespace detent {

enum class GridKind {
  kInt,      // codes [-2^(b-1), 2^(b-1)-1], level = code
  kIntHigh,  // codes [-2^(b-1)+1, 2^(b-1)], level = code: the odd level lies above (GGUF q2_0 at 2 bits: -1 0 1 2)
  kMidrise,  // codes [-2^(b-1), 2^(b-1)-1], level = code + 1/2: no zero (QuEST, arXiv 2502.05003)
  kTernary,  // levels -1 0 1
  kBinary,   // levels -1 1; zero rounds to +1
  kE2M1,     // 4-bit floats of the OCP Microscaling Formats v1.0: levels 0 +-0.5 +-1 +-1.5 +-2 +-3 +-4 +-6, one zero
};

struct Grid {
  GridKind kind = GridKind::kInt;
  int bits = 4;  // ignored by ternary (log2 3), binary (1) and e2m1 (4)

  int lo() const;        // lowest code
  int hi() const;        // highest code
  float offset() const;  // 0, or 1/2 for the grids without a zero
  float stride() const;  // uniform grids: distance of two levels in units of the scale: 2 for binary, else 1
  bool uniform() const { return kind != GridKind::kE2M1; }
  bool rounds_down() const { return offset() != 0; }  // floor for the grids without a zero, half-to-even otherwise
  float level(int code) const;
  int level_count() const { return hi() - lo() + 1; }
  float mean_step() const { return (level(hi()) - level(lo())) / static_cast<float>(level_count() - 1); }
  float top_step() const { return level(hi()) - level(hi() - 1); }  // between the two outermost levels
  // Largest magnitude that has a level on both sides, in units of the scale: what `absmax` divides by.
  float symmetric_top() const;
  double effective_bits() const;  // log2 of the number of levels
  std::string name() const;       // "int4", "midrise3", "ternary", "binary", "int_high2"
  bool operator==(const Grid&) const = default;
};

// Names as the configuration spells them: int, int_high, midrise, ternary, binary, e2m1.
const std::vector<std::string>& grid_names();
GridKind parse_grid_kind(const std::string& name);
std::string grid_kind_name(GridKind kind);
// Fails unless bits fits the kind (int 2..8, int_high 2..7, midrise 1..8).
Grid make_grid(const std::string& kind, int bits);

}  // namespace detent
