#include "detent/format/scale.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "detent/base/error.h"
#include "detent/format/absmax.h"
#include "detent/format/half.h"
#include "detent/format/two_level.h"

namespace detent {

namespace {
const std::vector<std::string> kRuleNames = {"absmax", "absmax_full", "absmax_signed", "rms", "mean", "learned"};
const std::vector<std::string> kFormatNames = {"fp32", "fp16", "fp16_bf16", "e8m0", "q2_k", "q3_k", "q4_k"};

template <class Enum>
Enum parse(const std::vector<std::string>& names, const std::string& name, const char* what) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) fail("[scale] unknown {} '{}'; known: {}", what, name, fmt::join(names, ", "));
  return static_cast<Enum>(found - names.begin());
}

bool is_int(const Grid& grid) { return grid.kind == GridKind::kInt || grid.kind == GridKind::kIntHigh; }

// QuEST adds 1e-8 to the clipping point, which keeps the scale of an all-zero group positive.
double rms_scale(double rms, const Grid& grid) {
  if (grid.kind == GridKind::kTernary) return kTernaryGaussianClip * rms;
  if (grid.kind == GridKind::kBinary) return gaussian_clip(1) * rms;
  return 2.0 * (gaussian_clip(grid.bits) * rms + 1e-8) / (grid.level_count() - 1);
}

// E2M1's largest power of two is 4; below 2^-126 floats run out of exponents, and E8M0 of scales soon after.
float microscaling_scale(float absmax) { return absmax == 0 ? 0 : std::ldexp(1.0f, std::ilogb(absmax) - 2); }

float nearest_power_of_two(float scale) {
  int exponent = 0;
  const float fraction = std::frexp(std::fabs(scale), &exponent);  // in [0.5, 1), or 0
  if (std::isinf(scale)) return 0x1p127f;
  if (fraction == 0) return 0x1p-127f;
  return std::ldexp(1.0f, std::clamp(fraction >= 0.75f ? exponent : exponent - 1, -127, 127));
}
}  // namespace

double gaussian_clip(int bits) {
  static constexpr double kClip[] = {0.7978845587140913, 1.4935346200015913, 2.051068354131873,  2.513930578568423,
                                     2.9160938834961225, 3.276597282593217,  3.6010497188221655, 3.884938678807525};
  if (bits < 1 || bits > 8) fail("[scale] rms knows 1 to 8 bits: got {}", bits);
  return kClip[bits - 1];
}

bool rule_fits(const Grid& grid, ScaleRule rule) {
  switch (rule) {
    case ScaleRule::kAbsmax:
      return grid.kind != GridKind::kMidrise;
    case ScaleRule::kAbsmaxFull:
      return is_int(grid) || grid.kind == GridKind::kMidrise || !grid.uniform();
    case ScaleRule::kAbsmaxSigned:
      return is_int(grid);
    case ScaleRule::kRms:
      return !is_int(grid) && grid.uniform();
    case ScaleRule::kMean:
      return grid.kind != GridKind::kMidrise && grid.uniform();
    case ScaleRule::kLearned:
      return true;
  }
  return false;
}

ScaleRule fitting_rule(const Grid& grid, ScaleRule rule) {
  for (const ScaleRule fit : {rule, ScaleRule::kAbsmax})
    if (rule_fits(grid, fit)) return fit;
  return ScaleRule::kAbsmaxFull;
}

float scale_from_stats(const GroupStats& stats, double n, const Grid& grid, ScaleRule rule) {
  if (!rule_fits(grid, rule) || rule == ScaleRule::kLearned)
    fail("[scale] rule {} gives no scale for grid {}", scale_rule_name(rule), grid.name());
  if (!stats.finite) return std::numeric_limits<float>::quiet_NaN();
  switch (rule) {
    case ScaleRule::kAbsmax:
      return stats.absmax / absmax_divisor(grid, rule);
    case ScaleRule::kAbsmaxFull:
      if (!grid.uniform()) return microscaling_scale(stats.absmax);
      return stats.absmax / absmax_divisor(grid, rule);
    case ScaleRule::kAbsmaxSigned:
      return stats.extreme / absmax_divisor(grid, rule);
    case ScaleRule::kRms:
      return static_cast<float>(rms_scale(std::sqrt(stats.sum_squares / n), grid));
    default:
      break;
  }
  const double mean = stats.sum_abs / n;
  return static_cast<float>(is_int(grid) ? 2.0 * mean / std::sqrt(double{grid.symmetric_top()}) : mean);
}

bool has_fixed_point(const Grid& grid, ScaleRule rule, ScaleFormat format) {
  if (two_level(format) && rule != ScaleRule::kLearned) return false;
  switch (rule) {
    case ScaleRule::kAbsmax:
    case ScaleRule::kAbsmaxSigned:
    case ScaleRule::kLearned:
      return true;
    case ScaleRule::kAbsmaxFull:
      return !is_int(grid);  // int: the top level is not max|x|
    case ScaleRule::kRms:
      return grid.kind == GridKind::kMidrise && grid.bits >= 3;
    case ScaleRule::kMean:
      return grid.kind == GridKind::kBinary;
  }
  return false;
}

float round_scale(float scale, ScaleFormat format) {
  if (std::isnan(scale)) return scale;
  if (format == ScaleFormat::kE8M0) return nearest_power_of_two(scale);
  if (format != ScaleFormat::kFp16 && format != ScaleFormat::kFp16Bf16) return scale;
  const float top = format == ScaleFormat::kFp16 ? 65504.0f : 65280.0f;
  float rounded = std::clamp(scale, -top, top);
  if (format == ScaleFormat::kFp16Bf16)
    rounded = std::clamp(bf16_bits_to_float(float_to_bf16_bits(rounded)), -top, top);
  return half_bits_to_float(float_to_half_bits(rounded));
}

const std::vector<std::string>& scale_rule_names() { return kRuleNames; }
const std::vector<std::string>& scale_format_names() { return kFormatNames; }
ScaleRule parse_scale_rule(const std::string& name) { return parse<ScaleRule>(kRuleNames, name, "rule"); }
ScaleFormat parse_scale_format(const std::string& name) { return parse<ScaleFormat>(kFormatNames, name, "format"); }
std::string scale_rule_name(ScaleRule rule) { return kRuleNames[static_cast<int>(rule)]; }
std::string scale_format_name(ScaleFormat format) { return kFormatNames[static_cast<int>(format)]; }

}  // namespace detent
