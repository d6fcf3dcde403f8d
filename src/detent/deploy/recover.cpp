#include "detent/deploy/recover.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "detent/format/half.h"

namespace detent {

namespace {

bool same_bits(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b); }

// Under a scale of zero only signs are left: the level next to zero that has the right one.
int level_of_zero(float value, float d, const LevelSet& set) {
  const bool flip = std::signbit(value) != std::signbit(d);
  return flip ? -1 : (set.has(0) ? 0 : 1);
}

bool fits(std::span<const float> values, float d, const GridSearch& search, std::span<int8_t> levels) {
  for (size_t i = 0; i < values.size(); ++i) {
    const float ratio =
        d == 0 ? static_cast<float>(level_of_zero(values[i], d, search.levels)) : std::nearbyint(values[i] / d);
    if (!(std::fabs(ratio) <= 256)) return false;
    const int level = static_cast<int>(ratio);
    const float value = d * static_cast<float>(level);
    if (!search.levels.has(level)) return false;
    if (!same_bits(value, values[i]) && !(search.any_zero && value == 0 && values[i] == 0)) return false;
    if (!levels.empty()) levels[i] = static_cast<int8_t>(level);
  }
  return true;
}

// value >= 0; as bits, floats of one sign count up.
float neighbour(float value, int ulps) {
  const auto bits = static_cast<int64_t>(std::bit_cast<uint32_t>(value)) + ulps;
  return std::bit_cast<float>(static_cast<uint32_t>(std::max<int64_t>(bits, 0)));
}

}  // namespace

bool is_half(float d) { return same_bits(half_bits_to_float(float_to_half_bits(d)), d); }

bool is_power_of_two(float d) {
  int exponent = 0;
  return std::frexp(d, &exponent) == 0.5f;
}

namespace {

// Calls take with every d that fits until it says that it has enough.
void search_scales(std::span<const float> values, const GridSearch& search, std::span<int8_t> levels,
                   const std::function<bool(float)>& take) {
  float top = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) return;
    top = std::fmax(top, std::fabs(value));
  }
  const auto try_scale = [&](float d) {
    return (!search.is_scale || search.is_scale(d)) && fits(values, d, search, levels) && take(d);
  };
  if (top == 0)  // the smallest power of two stands for zero where zero is no scale
    for (const float d : {0.0f, -0.0f, 0x1p-128f})
      if (try_scale(d)) return;
  // The largest magnitude is some level times d. Where products are exact the quotient is d itself; else it was
  // rounded, so d is within two units in the last place.
  const int reach = search.is_scale ? 0 : 2;
  const int last = top == 0 ? 0 : std::max(-search.levels.low, search.levels.high);
  for (int level = 1; level <= last; ++level)
    for (int ulps = -reach; ulps <= reach; ++ulps) {
      const float d = neighbour(top / static_cast<float>(level), ulps);
      if (try_scale(d) || try_scale(-d)) return;
    }
}

}  // namespace

std::optional<float> recover_scale(std::span<const float> values, const GridSearch& search, std::span<int8_t> levels) {
  std::optional<float> found;
  search_scales(values, search, levels, [&](float d) {
    found = d;
    return true;
  });
  return found;
}

std::vector<float> possible_scales(std::span<const float> values, const GridSearch& search) {
  std::vector<float> found;
  search_scales(values, search, {}, [&](float d) {
    found.push_back(d);
    return false;
  });
  return found;
}

}  // namespace detent
