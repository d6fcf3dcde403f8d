// Scales of two levels, as ggml's K-quants keep them: s = k * D, D a 16-bit float shared by 256 consecutive weights of
// a row, k an integer of a few bits for every 16 or 32 of them. Layouts: ggml-common.h (ggml-org/ggml).
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "detent/format/scale.h"

namespace detent {

struct QuantSpec;

inline constexpr int64_t kSuperBlock = 256;

struct TwoLevel {
  int low, high;      // of k
  ScaleFormat super;  // of D
  float top;          // of D: the block's minimum, a multiple of D, must be an fp16 too
};
std::optional<TwoLevel> two_level(ScaleFormat format);  // nothing for formats of one level

// Scales of a row, one for each group of so many weights, rounded to the format. Two levels: D is the 16-bit float
// nearest to the largest |s| / high, k the integer nearest to s / D; a sign that k has not becomes k = 0. NaN stays
// NaN.
void round_row_scales(std::span<float> scales, int64_t group, ScaleFormat format);

// Why a spec's other parts do not go with its format; nothing when they do, or its format has one level.
std::optional<std::string> two_level_problem(const QuantSpec& spec);

// Any D >= 0 that may be one and k in the format's range with scales[i] == D * k[i] bit for bit; nothing when there are
// none.
std::optional<float> split_scales(std::span<const float> scales, const TwoLevel& format,
                                  const std::function<bool(float)>& is_super, std::span<int> k);
// The same of groups whose scales are not known for sure: one of each group's possible ones (none empty), so that all
// are multiples of one D; nothing when there are none. A group's even levels hide a factor of two, few levels hide the
// sign.
std::optional<std::vector<float>> agreeing_scales(const std::vector<std::vector<float>>& possible,
                                                  const TwoLevel& format, const std::function<bool(float)>& is_super);

}  // namespace detent
