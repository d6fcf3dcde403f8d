#include "detent/report/canvas.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "detent/report/text.h"

namespace detent::report {

namespace {
constexpr double kLetter = 6.7, kMargin = 8, kLegendRow = 18,
                 kLegendGap = 16;  // kLetter: of a wide sans-serif at 12 units
}

double text_width(const std::string& text) { return kLetter * static_cast<double>(display_width(text)); }

std::string shorten(const std::string& text, double width) {
  if (text_width(text) <= width) return text;
  const size_t keep = static_cast<size_t>(std::max(1.0, width / kLetter - 1));
  size_t end = 0;
  for (size_t seen = 0; end < text.size(); ++end)
    if ((static_cast<unsigned char>(text[end]) & 0xC0) != 0x80 && seen++ == keep) break;
  return text.substr(0, end) + "…";
}

std::string number(double coordinate) {
  std::string out = fmt::format("{:.1f}", coordinate);
  if (out.ends_with(".0")) out.resize(out.size() - 2);
  return out == "-0" ? "0" : out;
}

std::string colour_class(int slot, bool faint) {
  const int dash = slot / kPaletteSize % 3;
  return fmt::format("s{}{}{}", slot % kPaletteSize, dash ? fmt::format(" d{}", dash) : "", faint ? " faint" : "");
}

void Canvas::text(double x, double y, const std::string& what, const std::string& classes) {
  const std::string attribute = classes.empty() ? "" : " class=\"" + classes + "\"";
  raw(fmt::format("<text x=\"{}\" y=\"{}\"{}>{}</text>", number(x), number(y), attribute, escape(what)));
}

void Canvas::line(double x1, double y1, double x2, double y2, const std::string& classes) {
  raw(fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"{}\"/>", number(x1), number(y1), number(x2),
                  number(y2), classes));
}

double Canvas::heading(const std::string& title, const std::string& unit) {
  const std::string suffix = unit.empty() ? "" : fmt::format("<tspan class=\"soft\" dx=\"6\">{}</tspan>", escape(unit));
  raw(fmt::format("<text x=\"{}\" y=\"16\" class=\"title\">{}{}</text>", number(kMargin), escape(title), suffix));
  return 28;
}

double Canvas::legend(const std::vector<LegendEntry>& entries, double top) {
  double x = kMargin, y = top + 8;
  for (const LegendEntry& entry : entries) {
    const std::string label = shorten(entry.label, kChartWidth - 2 * kMargin - 28);
    const double width = 26 + text_width(label) + kLegendGap;
    if (x > kMargin && x + width - kLegendGap > kChartWidth) x = kMargin, y += kLegendRow;
    line(x, y, x + 20, y, "key " + colour_class(entry.colour));
    text(x + 26, y + 4, label);
    x += width;
  }
  return entries.empty() ? top : y + kLegendRow;
}

double Canvas::note(const std::string& what, double top) {
  std::istringstream words(what);
  std::string row;
  const auto flush = [&] { text(kMargin, top += 16, row, "soft"), row.clear(); };
  for (std::string word; words >> word;) {
    std::string longer = fmt::format("{}{}{}", row, row.empty() ? "" : " ", word);
    if (!row.empty() && text_width(longer) > kChartWidth - 2 * kMargin) {
      flush();
      longer = word;
    }
    row = std::move(longer);
  }
  if (!row.empty()) flush();
  return top;
}

void Canvas::x_axis(const Frame& frame, const Scale& scale, const std::string& label) {
  const double bottom = frame.top + frame.height;
  double free_from = 0;  // a label that would run into its neighbour is left out, its grid line is not
  for (const Tick& tick : ticks(scale, 6)) {
    const double x = frame.x(scale.position(tick.value)), half = text_width(tick.label) / 2;
    line(x, frame.top, x, bottom, "grid");
    const double middle = std::min(x, kChartWidth - half - 1);
    if (middle - half < free_from) continue;
    text(middle, bottom + 16, tick.label, "tick middle");
    free_from = middle + half + 4;
  }
  if (!label.empty()) text(frame.left + frame.width, bottom + 32, label, "soft end");
}

void Canvas::y_axis(const Frame& frame, const Scale& scale, const std::vector<Tick>& marks) {
  for (const Tick& tick : marks) {
    const double y = frame.y(scale.position(tick.value));
    line(frame.left, y, frame.left + frame.width, y, "grid");
    text(frame.left - 6, y + 4, tick.label, "tick end");
  }
}

std::string Canvas::finish(double height) const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" "
      "aria-label=\"{}\">\n{}</svg>\n",
      number(kChartWidth), number(std::ceil(height)), escape(label_), body_);
}

}  // namespace detent::report
