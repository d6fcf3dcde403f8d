// What line and dot charts share: a sheet of SVG that grows downwards, a frame with ticks, a legend.
#pragma once
#include <string>
#include <vector>

#include "detent/report/axis.h"

namespace detent::report {

inline constexpr double kChartWidth = 440;  // of the drawing; pages scale it
inline constexpr int kPaletteSize = 8;

double text_width(const std::string& text);                  // an upper estimate, in drawing units
std::string shorten(const std::string& text, double width);  // with an ellipsis where it does not fit
std::string number(double coordinate);                       // one decimal, none where it is zero
std::string colour_class(int slot, bool faint = false);      // "s3", dashed beyond the palette

struct LegendEntry {
  std::string label;
  int colour;
};

// The rectangle of the plot.
struct Frame {
  double left, top, width, height;
  double x(double position) const { return left + position * width; }
  double y(double position) const { return top + (1 - position) * height; }
};

class Canvas {
 public:
  explicit Canvas(std::string label) : label_(std::move(label)) {}
  void text(double x, double y, const std::string& what, const std::string& classes = "");
  void line(double x1, double y1, double x2, double y2, const std::string& classes);
  void raw(const std::string& element) { body_ += element + "\n"; }
  double heading(const std::string& title, const std::string& unit);  // returns where the next thing may start
  double legend(const std::vector<LegendEntry>& entries, double top);
  double note(const std::string& what, double top);  // wrapped
  void x_axis(const Frame& frame, const Scale& scale, const std::string& label);
  void y_axis(const Frame& frame, const Scale& scale, const std::vector<Tick>& ticks);
  std::string finish(double height) const;

 private:
  std::string label_, body_;
};

}  // namespace detent::report
