#include "detent/report/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace detent::report {

namespace {

double nice_step(double range, int wanted) {
  const double raw = range / std::max(1, wanted);
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1., 2., 5.})
    if (raw <= factor * power * 1.0000001) return factor * power;
  return 10 * power;
}

// The fewest digits that tell neighbours `step` apart, in thousands or millions where the numbers are that large.
std::string linear_label(double value, double step, double largest) {
  const auto spell = [&](double unit, const char* suffix) {
    const int digits = std::max(0, static_cast<int>(-std::floor(std::log10(step / unit) + 1e-9)));
    const double shown = std::fabs(value) < step * 1e-6 ? 0 : value / unit;
    return shown == 0 ? std::string("0") : fmt::format("{:.{}f}{}", shown, digits, suffix);
  };
  if (largest >= 2e6) return spell(1e6, "M");
  if (largest >= 1e4) return spell(1e3, "k");
  if (largest < 1e-3 && value != 0) return fmt::format("{:.2g}", value);
  return spell(1, "");
}

std::string power_label(double value) {
  if (value >= 1e-3 && value < 1e4) return fmt::format("{:g}", value);
  if (value >= 1e4 && value < 1e9) return linear_label(value, value, value);
  return fmt::format("{:.0e}", value);
}

std::vector<Tick> linear_ticks(const Scale& scale, int wanted) {
  const double step = nice_step(scale.high - scale.low, wanted);
  const double largest = std::max(std::fabs(scale.low), std::fabs(scale.high));
  std::vector<Tick> out;
  const double first = std::ceil(scale.low / step - 1e-9), last = std::floor(scale.high / step + 1e-9);
  for (double k = first; k <= last; ++k) out.push_back({k * step, linear_label(k * step, step, largest)});
  return out;
}

std::vector<Tick> log_ticks(const Scale& scale, int wanted) {
  const int first = static_cast<int>(std::ceil(std::log10(scale.low) - 1e-9));
  const int last = static_cast<int>(std::floor(std::log10(scale.high) + 1e-9));
  const int powers = last - first + 1;
  const int stride = std::max(1, (powers - 1 + wanted - 1) / wanted);
  std::vector<Tick> out;
  for (int exponent = powers < 3 ? first - 1 : first; exponent <= last; exponent += stride)
    for (const double factor : {1., 2., 5.}) {
      const double value = factor * std::pow(10, exponent);
      const bool inside = value >= scale.low * 0.999999 && value <= scale.high * 1.000001;
      if (inside && (factor == 1 || powers < 3)) out.push_back({value, power_label(value)});
    }
  return out;
}

}  // namespace

double Scale::position(double value) const {
  if (!std::isfinite(value) || (logarithmic && value <= 0)) return std::numeric_limits<double>::quiet_NaN();
  if (logarithmic) return std::log(value / low) / std::log(high / low);
  return (value - low) / (high - low);
}

void ScaleFit::include(double value) {
  if (!std::isfinite(value) || (axis_.logarithmic && value <= 0)) return;
  low_ = std::min(low_, value);
  high_ = std::max(high_, value);
}

Scale ScaleFit::scale(double air) const {
  const bool nothing = low_ > high_;
  Scale out{nothing ? (axis_.logarithmic ? 1.0 : 0.0) : low_, nothing ? 1.0 : high_, axis_.logarithmic};
  out.low = axis_.low.value_or(out.low);
  out.high = axis_.high.value_or(out.high);
  if (out.logarithmic) {
    const double widen = out.high / out.low < 1.2 ? 1.5 : std::pow(out.high / out.low, air);
    if (!axis_.low) out.low /= widen;
    if (!axis_.high) out.high *= widen;
    return out;
  }
  const double range = out.high - out.low;
  const double magnitude = std::max(std::fabs(out.low), std::fabs(out.high));
  const double widen = range > magnitude * 1e-9 ? air * range : (magnitude > 0 ? 0.5 * magnitude : 0.5);
  if (!axis_.low) out.low -= out.low >= 0 && out.low < widen && range > 0 ? out.low : widen;  // stop at zero
  if (!axis_.high) out.high += widen;
  return out;
}

std::vector<Tick> ticks(const Scale& scale, int wanted) {
  if (!scale.logarithmic) return linear_ticks(scale, wanted);
  std::vector<Tick> out = log_ticks(scale, wanted);
  return out.size() >= 3 ? out : linear_ticks(scale, wanted);
}

}  // namespace detent::report
