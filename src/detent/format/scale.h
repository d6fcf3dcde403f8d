// How a group's scale is found (rule) and which numbers a scale may be (format).
// The scale d is the distance of two neighbouring levels (half of it for the binary grid: value = +-d).
#pragma once
#include <string>
#include <vector>

#include "detent/format/grid.h"

namespace detent {

enum class ScaleRule {
  kAbsmax,        // max|x| / symmetric_top: int divides by 2^(b-1)-1
  kAbsmaxFull,    // max|x| / ((2^b-1)/2): torchao, compressed-tensors; the full range of a mid-rise grid. e2m1: the
                  // power of two 2^(floor(log2 max|x|) - 2) of OCP's Microscaling formats, under which max|x| is 4 to 8
  kAbsmaxSigned,  // ggml: the value of largest magnitude, sign kept, lands on the grid's far end; d may be negative
  kRms,           // QuEST's Gaussian-optimal a_b * rms (arXiv 2502.05003)
  kMean,          // mean|x|: BitNet b1.58, XNOR; for int grids LSQ's 2 mean|x| / sqrt(2^(b-1)-1) (1902.08153)
  kLearned,       // a trained parameter
};

enum class ScaleFormat {
  kFp32,
  kFp16,      // IEEE half, round to nearest even, saturating at 65504
  kFp16Bf16,  // numbers that are both halves and bfloat16s, saturating at 65280
  kE8M0,      // powers of two from 2^-127 to 2^127 (OCP Microscaling): without a sign or a zero, the nearest, ties up
  // ggml's two levels (format/two_level.h): a small integer times a super-scale that 256 weights share.
  kQ2K,  // 0 to 15 times an fp16_bf16
  kQ3K,  // -32 to 31 times an fp16
  kQ4K,  // 0 to 63 times an fp16
};

// Statistics of one group, gathered in one pass. Sums are in double over a fixed tree of 16 lanes
// (element i belongs to lane i mod 16), so that they do not depend on the instruction set.
struct GroupStats {
  float absmax = 0;
  float extreme = 0;  // the value of largest magnitude with its sign; the first one wins ties
  double sum_abs = 0;
  double sum_squares = 0;
  bool finite = true;  // false if any element is NaN or infinite
};

// QuEST's constants a_b (MSE-optimal clipping of N(0,1) in units of its deviation); bits 1..8.
double gaussian_clip(int bits);
inline constexpr double kTernaryGaussianClip = 1.2240089519030855;

// The scale of a group of n elements, before rounding to a format. NaN when the group is not finite.
// Fails when the rule is not defined for the grid (see rule_fits).
float scale_from_stats(const GroupStats& stats, double n, const Grid& grid, ScaleRule rule);
bool rule_fits(const Grid& grid, ScaleRule rule);
// The rule itself, or else absmax, or else absmax_full: every grid has one of them.
ScaleRule fitting_rule(const Grid& grid, ScaleRule rule);
// Whether Q(Q(x)) = Q(x) holds, or holds so nearly that pulling weights towards their quantized values leaves the
// scale where it was. Without it such a pull (CAGE, a reset) shrinks the weights. Bound by a test over all pairs.
// Not so with two-level formats unless scales are learned: a scale rounded up moves the largest weight down a level.
bool has_fixed_point(const Grid& grid, ScaleRule rule, ScaleFormat format = ScaleFormat::kFp32);

// Formats of two levels round a row of scales together (round_row_scales) and leave a single one as it is.
float round_scale(float scale, ScaleFormat format);

const std::vector<std::string>& scale_rule_names();
const std::vector<std::string>& scale_format_names();
ScaleRule parse_scale_rule(const std::string& name);
ScaleFormat parse_scale_format(const std::string& name);
std::string scale_rule_name(ScaleRule rule);
std::string scale_format_name(ScaleFormat format);

}  // namespace detent
