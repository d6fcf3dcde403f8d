// The dot chart of svg.h, and the style that all charts share.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "detent/report/canvas.h"
#include "detent/report/svg.h"
#include "detent/report/text.h"

namespace detent::report {

namespace {

constexpr double kRow = 24;

Scale fit_rows(const DotChart& chart) {
  ScaleFit fit(chart.x);
  if (chart.reference) fit.include(*chart.reference);
  for (const DotRow& row : chart.rows) {
    for (const double point : row.points) fit.include(point);
    for (const double sign : {-1., 0., 1.})
      fit.include(row.mean + sign * (std::isnan(row.deviation) ? 0 : row.deviation));
  }
  return fit.scale();
}

std::string circle(double x, double y, double radius, const char* classes) {
  return fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" class=\"{}\"/>", number(x), number(y), radius, classes);
}

void draw_row(const DotRow& row, int colour, const Frame& frame, const Scale& scale, double y, Canvas& canvas) {
  const std::string label = shorten(row.label, frame.left - 14);
  canvas.text(frame.left - 8, y + 4, label, "end");
  const double mean = scale.position(row.mean);
  if (std::isnan(mean)) return canvas.text(frame.left + 6, y + 4, "no value", "soft");
  const std::string spread = std::isnan(row.deviation) ? "" : fmt::format(" ± {:.4g}", row.deviation);
  canvas.raw(fmt::format("<g class=\"{}\"><title>{}: {:.5g}{}</title>", colour_class(colour % kPaletteSize),
                         escape(row.label), row.mean, spread));
  for (const double point : row.points)
    if (const double at = scale.position(point); !std::isnan(at)) canvas.raw(circle(frame.x(at), y, 3, "one"));
  if (!std::isnan(row.deviation)) {
    const double low = frame.x(scale.position(row.mean - row.deviation));
    const double high = frame.x(scale.position(row.mean + row.deviation));
    if (!std::isnan(low)) canvas.line(low, y, high, y, "bar");
  }
  canvas.raw(circle(frame.x(mean), y, 4.5, "mean") + "</g>");
}

}  // namespace

std::string draw(const DotChart& chart) {
  const Scale scale = fit_rows(chart);
  Canvas canvas(chart.title);
  const double top = canvas.heading(chart.title, chart.x.label);
  double label_width = 0;
  for (const DotRow& row : chart.rows) label_width = std::max(label_width, text_width(row.label));
  const double left = std::min(label_width, 0.46 * kChartWidth) + 16;
  const Frame frame{left, top, kChartWidth - left - 10, kRow * static_cast<double>(chart.rows.size())};
  canvas.x_axis(frame, scale, "");
  if (chart.reference) {
    const double x = frame.x(scale.position(*chart.reference));
    canvas.line(x, frame.top, x, frame.top + frame.height, "reference");
  }
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    const int colour = chart.rows[i].colour >= 0 ? chart.rows[i].colour : static_cast<int>(i);
    draw_row(chart.rows[i], colour, frame, scale, frame.top + kRow * (static_cast<double>(i) + 0.5), canvas);
  }
  return canvas.finish(canvas.note(chart.note, frame.top + frame.height + 22) + 6);
}

// Every colour has a contrast of at least 3 to 1 on its background; neighbours in the list differ in lightness too.
std::string chart_css() {
  return R"(.chart{--c0:#1f6fb4;--c1:#c8590a;--c2:#11875d;--c3:#7b4fc4;--c4:#c2417c;--c5:#12808f;--c6:#94720b;--c7:#6b7280;
--ink:#1c1f24;--soft:#626a76;--rule:#e3e6ea;font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
fill:none;stroke-linejoin:round;stroke-linecap:round}
@media (prefers-color-scheme:dark){.chart{--c0:#5aa9e6;--c1:#f28e4b;--c2:#4cc38a;--c3:#a98af0;--c4:#ee7fb0;--c5:#4fc4d3;
--c6:#d9b44a;--c7:#a0a7b3;--ink:#e7e9ec;--soft:#9aa3af;--rule:#30353c}}
.chart text{fill:var(--ink)}.chart .title{font-weight:600;font-size:13px}.chart .soft,.chart .tick{fill:var(--soft);font-weight:400}
.chart .tick{font-size:11px}.chart .middle{text-anchor:middle}.chart .end{text-anchor:end}.chart .grid{stroke:var(--rule)}
.chart .reference{stroke:var(--soft);stroke-dasharray:4 4}.chart path,.chart .key{stroke-width:1.8}.chart g:hover path{stroke-width:3}
.chart .d1 path,.chart .d1{stroke-dasharray:6 4}.chart .d2 path,.chart .d2{stroke-dasharray:1.5 4}.chart .faint path{opacity:.45}
.chart .bar{stroke-width:2}.chart circle{stroke:none}.chart .one{opacity:.35}
.s0{--c:var(--c0)}.s1{--c:var(--c1)}.s2{--c:var(--c2)}.s3{--c:var(--c3)}.s4{--c:var(--c4)}.s5{--c:var(--c5)}.s6{--c:var(--c6)}.s7{--c:var(--c7)}
.chart path,.chart .key,.chart .bar{stroke:var(--c)}.chart circle{fill:var(--c)}
)";
}

std::string standalone(const std::string& svg) {
  const size_t end_of_tag = svg.find('>') + 1;
  return svg.substr(0, end_of_tag) + "\n<style>" + chart_css() + "</style>\n" + svg.substr(end_of_tag);
}

}  // namespace detent::report
