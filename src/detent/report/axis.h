// One axis of a chart: the range it shows, where its ticks are and how they are spelled.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace detent::report {

struct Axis {
  std::string label;
  bool logarithmic = false;
  std::optional<double> low, high;  // fixed ends; else from the data
};

struct Scale {
  double low = 0, high = 1;
  bool logarithmic = false;
  // 0 at low, 1 at high; NaN for what the axis cannot show (not finite, or not positive on a logarithmic axis).
  double position(double value) const;
};

struct Tick {
  double value;
  std::string label;
};

// Collects the values an axis has to show, then fits a scale: a little air on linear axes, equal values pulled apart.
class ScaleFit {
 public:
  explicit ScaleFit(const Axis& axis) : axis_(axis) {}
  void include(double value);
  Scale scale(double air = 0.04) const;

 private:
  Axis axis_;
  double low_ = 1e308, high_ = -1e308;
};

// Round numbers inside the scale, about `wanted` of them: multiples of 1, 2 or 5 times a power of ten; on logarithmic
// axes powers of ten, with 2 and 5 between them where there are fewer than three, and linear ticks where that too is
// fewer than three.
std::vector<Tick> ticks(const Scale& scale, int wanted);

}  // namespace detent::report
