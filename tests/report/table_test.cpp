#include "detent/report/table.h"

#include <gmock/gmock-more-matchers.h>
#include <gtest/gtest.h>

#include "detent/report/html.h"

namespace detent::report {
namespace {

using testing::HasSubstr;
using testing::Not;

Table sample() {
  Table table;
  table.caption = "Arms";
  table.columns = {{"arm", false}, {"loss"}};
  table.rows = {{"a|b", "1.5 ± 0.1"}, {"<i>", "–"}};
  table.notes = {"n = 3"};
  return table;
}

TEST(Table, TextLinesUp) {
  EXPECT_EQ(sample().text(),
            "Arms\n"
            "arm       loss\n"
            "---  ---------\n"
            "a|b  1.5 ± 0.1\n"
            "<i>          –\n"
            "n = 3\n");
}

TEST(Table, Markdown) {
  EXPECT_EQ(sample().markdown(),
            "**Arms**\n\n"
            "| arm | loss |\n"
            "|---|---:|\n"
            "| a\\|b | 1.5 ± 0.1 |\n"
            "| &lt;i&gt; | – |\n"
            "\nn = 3\n");
}

TEST(Table, HtmlIsEscaped) {
  EXPECT_THAT(sample().html(), HasSubstr("<p class=\"caption\">Arms</p>"));
  EXPECT_THAT(sample().html(), HasSubstr("<tr><td>&lt;i&gt;</td><td class=\"right\">–</td></tr>"));
  EXPECT_THAT(sample().html(), HasSubstr("<p class=\"note\">n = 3</p>"));
}

TEST(Page, EscapesEveryTextAndReachesOutForNothing) {
  const std::string bad = "<script>alert('x')</script>";
  Page page(bad, bad);
  page.heading(bad);
  page.paragraph(bad);
  page.key_sentences({bad});
  page.folded(bad, "</pre>" + bad);
  const std::string html = page.html();
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("</pre>&lt;/pre&gt;</pre>")));
  for (const char* outside : {"http:", "https:", "url(", "src=", "href=", "@import"})
    EXPECT_THAT(html, Not(HasSubstr(outside))) << outside;
}

}  // namespace
}  // namespace detent::report
