#include "detent/report/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "detent/report/canvas.h"
#include "detent/report/text.h"

namespace detent::report {

namespace {

constexpr double kPlotHeight = 200, kBelowAxis = 38, kFar = 1e5;

std::vector<LegendEntry> legend_entries(const LineChart& chart) {
  std::vector<LegendEntry> out;
  for (const Curve& curve : chart.curves) {
    const auto same = [&](const LegendEntry& entry) { return entry.label == curve.label; };
    if (std::any_of(out.begin(), out.end(), same)) continue;
    out.push_back({curve.label, curve.colour >= 0 ? curve.colour : static_cast<int>(out.size())});
  }
  return out;
}

int colour_of(const std::string& label, const std::vector<LegendEntry>& entries) {
  return std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.label == label; })->colour;
}

// The runs of points that can be drawn without a gap.
std::vector<std::vector<Pixel>> stretches(const Points& points, const Frame& frame, const Scale& x, const Scale& y) {
  std::vector<std::vector<Pixel>> out(1);
  for (size_t i = 0; i < points.x.size(); ++i) {
    const double px = frame.width * x.position(points.x[i]);
    const double py = frame.height * (1 - y.position(points.y[i]));
    if (std::isnan(px) || std::isnan(py))
      out.emplace_back();
    else
      out.back().push_back({std::clamp(px, -kFar, kFar), std::clamp(py, -kFar, kFar)});
  }
  std::erase_if(out, [](const auto& stretch) { return stretch.empty(); });
  return out;
}

std::string curve_element(const Curve& curve, const std::vector<std::vector<Pixel>>& parts, int colour, bool dots) {
  std::string path, marks;
  for (const std::vector<Pixel>& part : parts) {
    const std::vector<Pixel> line = thin(part);
    for (size_t i = 0; i < line.size(); ++i) path += (i ? "L" : "M") + number(line[i].x) + " " + number(line[i].y);
    if (dots || part.size() == 1)
      for (const Pixel& p : line)
        marks += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"2.6\"/>", number(p.x), number(p.y));
  }
  return fmt::format("<g class=\"{}\"><title>{}</title><path d=\"{}\"/>{}</g>", colour_class(colour, curve.faint),
                     escape(curve.label), path, marks);
}

size_t hidden_points(const LineChart& chart, const Scale& x, const Scale& y) {
  size_t out = 0;
  for (const Curve& curve : chart.curves)
    for (size_t i = 0; i < curve.points.x.size(); ++i)
      out += std::isnan(x.position(curve.points.x[i])) || std::isnan(y.position(curve.points.y[i]));
  return out;
}

double widest_label(const std::vector<Tick>& marks) {
  double out = 0;
  for (const Tick& tick : marks) out = std::max(out, text_width(tick.label));
  return out;
}

// A nested svg clips what leaves the frame, without names that could clash with another chart of the page.
void draw_curves(const LineChart& chart, const Frame& frame, const Scale& x, const Scale& y, Canvas& canvas) {
  const std::vector<LegendEntry> entries = legend_entries(chart);
  canvas.raw(fmt::format("<svg x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\">", number(frame.left), number(frame.top),
                         number(frame.width), number(frame.height)));
  for (const Curve& curve : chart.curves)
    canvas.raw(curve_element(curve, stretches(curve.points, frame, x, y), colour_of(curve.label, entries), chart.dots));
  canvas.raw("</svg>");
}

}  // namespace

std::vector<Pixel> thin(const std::vector<Pixel>& line) {
  std::vector<Pixel> out;
  for (size_t begin = 0; begin < line.size();) {
    size_t end = begin, lowest = begin, highest = begin;
    for (; end < line.size() && std::floor(line[end].x) == std::floor(line[begin].x); ++end) {
      if (line[end].y < line[lowest].y) lowest = end;
      if (line[end].y > line[highest].y) highest = end;
    }
    std::vector<size_t> keep{begin, lowest, highest, end - 1};
    std::sort(keep.begin(), keep.end());
    keep.erase(std::unique(keep.begin(), keep.end()), keep.end());
    for (const size_t i : keep) out.push_back(line[i]);
    begin = end;
  }
  return out;
}

std::string draw(const LineChart& chart) {
  ScaleFit fit_x(chart.x), fit_y(chart.y);
  for (const Curve& curve : chart.curves) {
    for (const double x : curve.points.x) fit_x.include(x);
    for (const double y : curve.points.y) fit_y.include(y);
  }
  const Scale x = fit_x.scale(0), y = fit_y.scale();
  const std::vector<Tick> marks = ticks(y, 5);
  Canvas canvas(chart.title);
  const std::vector<LegendEntry> entries = legend_entries(chart);
  const double top = canvas.legend(entries.size() > 1 ? entries : std::vector<LegendEntry>{},
                                   canvas.heading(chart.title, chart.y.label));
  const double left = widest_label(marks) + 12;
  const Frame frame{left, top + 4, kChartWidth - left - 10, kPlotHeight};
  canvas.x_axis(frame, x, chart.x.label);
  canvas.y_axis(frame, y, marks);
  draw_curves(chart, frame, x, y, canvas);
  double bottom = frame.top + frame.height + kBelowAxis;
  if (const size_t hidden = hidden_points(chart, x, y))
    bottom = canvas.note(fmt::format("{} points cannot be drawn: not finite{}", hidden,
                                     x.logarithmic || y.logarithmic ? ", or not positive on a logarithmic axis" : ""),
                         bottom);
  return canvas.finish(canvas.note(chart.note, bottom) + 6);
}

}  // namespace detent::report
