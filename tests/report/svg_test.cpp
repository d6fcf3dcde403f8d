#include "detent/report/svg.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "detent/report/canvas.h"

namespace detent::report {
namespace {

using testing::HasSubstr;
using testing::Not;

size_t occurrences(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

// Every tag that opens closes, in order.
void expect_well_formed(const std::string& svg) {
  std::vector<std::string> open;
  const std::regex tag("<(/?)([a-z]+)[^>]*?(/?)>");
  for (std::sregex_iterator it(svg.begin(), svg.end(), tag), end; it != end; ++it) {
    if ((*it)[3] == "/") continue;
    if ((*it)[1] != "/") {
      open.push_back((*it)[2]);
      continue;
    }
    ASSERT_FALSE(open.empty());
    EXPECT_EQ(open.back(), (*it)[2]);
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
}

TEST(Thin, KeepsFirstLowestHighestLastOfAColumn) {
  const std::vector<Pixel> line{{0.1, 5}, {0.2, 9}, {0.3, 4}, {0.4, 6}, {0.9, 5}, {1.5, 7}, {2.1, 1}, {2.2, 2}};
  const std::vector<Pixel> out = thin(line);
  std::vector<double> ys;
  for (const Pixel& p : out) ys.push_back(p.y);
  EXPECT_THAT(ys, testing::ElementsAre(5, 9, 4, 5, 7, 1, 2));
}

TEST(Thin, AMillionPointsBecomeFourAColumnAndKeepTheSpike) {
  std::vector<Pixel> line;
  for (int i = 0; i < 1000000; ++i) line.push_back({i * 1e-4, i == 123456 ? 50.0 : i % 2});
  const std::vector<Pixel> out = thin(line);
  EXPECT_LE(out.size(), 400u);
  EXPECT_TRUE(std::any_of(out.begin(), out.end(), [](const Pixel& p) { return p.y == 50; }));
}

TEST(LineChart, PutsPointsWhereTheAxesSay) {
  LineChart chart;
  chart.title = "t";
  chart.x = {"step", false, 0.0, 10.0};
  chart.y = {"", false, 0.0, 1.0};
  chart.curves = {{"a", {{0, 10}, {0, 1}}, -1, false}};
  // Labels 0.0 ... 1.0 are three letters of 6.7, so the frame starts at 20.1 + 12 and is 440 - 32.1 - 10 wide.
  EXPECT_THAT(draw(chart), HasSubstr("<svg x=\"32.1\" y=\"32\" width=\"397.9\" height=\"200\">"));
  EXPECT_THAT(draw(chart), HasSubstr("d=\"M0 200L397.9 0\""));
  expect_well_formed(draw(chart));
}

TEST(LineChart, GapsAndWhatCannotBeDrawn) {
  LineChart chart;
  chart.y.logarithmic = true;
  chart.curves = {{"a", {{1, 2, 3, 4, 5}, {1, NAN, 2, 3, 0}}, -1, false}};
  const std::string svg = draw(chart);
  EXPECT_EQ(occurrences(svg, "<circle"), 1u);  // the point alone before the gap
  EXPECT_THAT(svg, HasSubstr("2 points cannot be drawn: not finite, or not positive on a"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(LineChart, SeedsShareOneLegendEntryAndColour) {
  LineChart chart;
  chart.curves = {
      {"a", {{0, 1}, {0, 1}}, -1, false}, {"a", {{0, 1}, {1, 2}}, -1, false}, {"<b>", {{0}, {1}}, 9, false}};
  const std::string svg = draw(chart);
  EXPECT_EQ(occurrences(svg, "class=\"key "), 2u);
  EXPECT_EQ(occurrences(svg, "<g class=\"s0\">"), 2u);
  EXPECT_EQ(occurrences(svg, "<g class=\"s1 d1\">"), 1u);  // slot 9: second colour, dashed
  EXPECT_THAT(svg, HasSubstr("&lt;b&gt;"));
  EXPECT_THAT(svg, Not(HasSubstr("<b>")));
}

TEST(LineChart, LegendRowsPushThePlotDown) {
  LineChart few, many;
  for (int i = 0; i < 12; ++i) {
    const Curve curve{"a rather long name " + std::to_string(i), {{0, 1}, {0, 1}}, -1, false};
    if (i < 2) few.curves.push_back(curve);
    many.curves.push_back(curve);
  }
  // Two such names stand side by side: 26 + 20 or 21 letters of 6.7 + 16 each is below 220. Six rows of 18, not one.
  const auto top = [](const std::string& svg) {
    return std::stod(svg.substr(svg.find("\" y=\"", svg.find("<svg x=")) + 5));
  };
  EXPECT_DOUBLE_EQ(top(draw(many)) - top(draw(few)), 5 * 18);
}

TEST(LineChart, NothingToDrawIsStillAChart) { expect_well_formed(draw(LineChart{})); }

TEST(DotChart, BarsPointsAndMissingValues) {
  DotChart chart;
  chart.x = {"nats", false, 0.0, 10.0};
  chart.reference = 5.0;
  chart.rows = {{"one", 4, 1, {3, 5}, -1}, {"two", 6, NAN, {6}, -1}, {"none", NAN, NAN, {}, -1}};
  const std::string svg = draw(chart);
  // Labels of four letters: 26.8 + 16 = 42.8 from the left, 440 - 42.8 - 10 wide; the bar runs from 3 to 5 of 10.
  EXPECT_THAT(svg, HasSubstr("<line x1=\"159\" y1=\"40\" x2=\"236.4\" y2=\"40\" class=\"bar\"/>"));
  EXPECT_EQ(occurrences(svg, "class=\"bar\""), 1u);
  EXPECT_EQ(occurrences(svg, "class=\"mean\""), 2u);
  EXPECT_EQ(occurrences(svg, "class=\"one\""), 3u);
  EXPECT_THAT(svg, HasSubstr("no value"));
  EXPECT_THAT(svg, HasSubstr("<title>one: 4 ± 1</title>"));
  expect_well_formed(svg);
}

TEST(Standalone, CarriesItsStyle) {
  const std::string svg = standalone(draw(LineChart{}));
  EXPECT_TRUE(svg.starts_with("<svg xmlns="));
  EXPECT_THAT(svg, HasSubstr("prefers-color-scheme:dark"));
  expect_well_formed(svg);
}

TEST(Canvas, ShortensByCodePoints) {
  EXPECT_EQ(shorten("short", 100), "short");
  EXPECT_EQ(shorten("λλλλλλλλλλ", 6.7 * 5), "λλλλ…");
}

}  // namespace
}  // namespace detent::report
