// Charts as SVG text: lines over an axis, and dots with error bars. Colours are classes that chart_css() defines for
// light and dark, so a chart goes into a page as it is, or into a file of its own with standalone().
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "detent/report/axis.h"
#include "detent/report/run_log.h"

namespace detent::report {

// Curves with the same label share a colour and one entry of the legend, which stands above the plot.
struct Curve {
  std::string label;
  Points points;
  int colour = -1;     // a slot of the palette; -1: the label's place in the legend. Slots beyond 8 are dashed
  bool faint = false;  // a guide or a background
};

struct LineChart {
  std::string title;
  Axis x, y;
  std::vector<Curve> curves;
  std::string note;   // a line below
  bool dots = false;  // mark every point
};

struct DotRow {
  std::string label;
  double mean;                 // NaN: the row says "no value"
  double deviation;            // NaN: no bar
  std::vector<double> points;  // the single values behind the mean
  int colour = -1;
};

struct DotChart {
  std::string title;
  Axis x;
  std::vector<DotRow> rows;
  std::optional<double> reference;  // a vertical line
  std::string note;
};

struct Pixel {
  double x, y;
};

// At most four points a pixel column (first, lowest, highest, last, in the order they came): the picture is the same
// as with all of them, peaks included.
std::vector<Pixel> thin(const std::vector<Pixel>& line);

std::string draw(const LineChart& chart);
std::string draw(const DotChart& chart);
std::string chart_css();
std::string standalone(const std::string& svg);

}  // namespace detent::report
