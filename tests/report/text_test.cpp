#include "detent/report/text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace detent::report {
namespace {

TEST(Escape, MarkupAndQuotes) {
  EXPECT_EQ(escape("<b>\"a\" & 'c'</b>"), "&lt;b&gt;&quot;a&quot; &amp; &#39;c&#39;&lt;/b&gt;");
  EXPECT_EQ(escape("λ ± 1\n\t"), "λ ± 1\n\t");
}

TEST(Escape, ReplacesWhatNoReaderTakes) {
  EXPECT_EQ(escape(std::string("a\x01z\x7f")), "a\uFFFDz\uFFFD");
  EXPECT_EQ(escape(std::string("a\0b", 3)), "a\uFFFDb");
  EXPECT_EQ(escape("\xff\xfe"), "\uFFFD\uFFFD");
  EXPECT_EQ(escape("\xc3"), "\uFFFD");                                // cut off
  EXPECT_EQ(escape("\xc0\xbc"), "\uFFFD\uFFFD");                      // an overlong '<'
  EXPECT_EQ(escape("\xe0\x80\xbc"), "\uFFFD\uFFFD\uFFFD");            // and in three bytes
  EXPECT_EQ(escape("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");            // a surrogate
  EXPECT_EQ(escape("\xf4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");  // above U+10FFFF
  EXPECT_EQ(escape("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80");
}

TEST(Escape, MarkdownCell) { EXPECT_EQ(escape_markdown("a|b\n*c* <d>"), "a\\|b \\*c\\* &lt;d&gt;"); }

TEST(Widths, CountCodePoints) {
  EXPECT_EQ(display_width("1.0 ± 2"), 7u);
  EXPECT_EQ(pad("±", 3, true), "  ±");
  EXPECT_EQ(pad("±", 3, false), "±  ");
  EXPECT_EQ(pad("long", 2, true), "long");
}

TEST(Numbers, Spelling) {
  EXPECT_EQ(fixed(1.25, 3), "1.250");
  EXPECT_EQ(signed_fixed(0.5, 1), "+0.5");
  EXPECT_EQ(fixed(NAN, 3), "–");
  EXPECT_EQ(percent(0.853), "85.3%");
  EXPECT_EQ(count(9999), "9999");
  EXPECT_EQ(count(12345), "12.3k");
  EXPECT_EQ(count(999950), "1.0M");
  EXPECT_EQ(byte_size(1023), "1023 B");
  EXPECT_EQ(byte_size(1536), "1.5 KiB");
  EXPECT_EQ(byte_size(3. * 1024 * 1024), "3.00 MiB");
}

}  // namespace
}  // namespace detent::report
