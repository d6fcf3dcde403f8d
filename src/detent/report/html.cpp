#include "detent/report/html.h"

#include <fmt/format.h>

#include "detent/report/svg.h"
#include "detent/report/text.h"

namespace detent::report {

namespace {

constexpr const char* kPageCss =
    R"(:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--text:#1c1f24;--muted:#626a76;
--line:#dfe3e8;--mark:#1f6fb4}
@media (prefers-color-scheme:dark){:root{--page:#14171a;--card:#1c2024;--text:#e7e9ec;--muted:#9aa3af;--line:#30353c;--mark:#5aa9e6}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
-webkit-text-size-adjust:100%}
main{max-width:1120px;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.7rem;line-height:1.2;margin:.4rem 0}h2{font-size:1.2rem;margin:2.2rem 0 .6rem}
p{max-width:75ch;margin:.5rem 0;overflow-wrap:anywhere}.subtitle,.note{color:var(--muted)}.note{font-size:.85rem;max-width:95ch}
.key{margin:1rem 0;padding:.6rem 1rem .6rem 2rem;background:var(--card);border:1px solid var(--line);border-left:4px solid var(--mark);border-radius:6px}
.key li{margin:.3rem 0;max-width:100ch}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:6px;margin:.6rem 0}
table{border-collapse:separate;border-spacing:0;width:100%;font-size:.84rem;font-variant-numeric:tabular-nums}
.caption{margin:1.2rem 0 0;font-weight:600;font-size:.92rem;max-width:95ch}
th,td{padding:.4rem .55rem;text-align:left;border-top:1px solid var(--line);white-space:nowrap;vertical-align:top}
thead th{border-top:0;color:var(--muted);font-weight:600}.right{text-align:right}
th:first-child,td:first-child{position:sticky;left:0;background:var(--card)}
.charts{display:grid;gap:.8rem;align-items:start;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr))}
figure{margin:0;padding:.6rem;background:var(--card);border:1px solid var(--line);border-radius:6px;max-width:640px}
.chart{display:block;width:100%;height:auto}
details{background:var(--card);border:1px solid var(--line);border-radius:6px;margin:.4rem 0;padding:.4rem .8rem}
summary{cursor:pointer;overflow-wrap:anywhere}
pre{overflow-x:auto;font-size:.82rem;line-height:1.4}
@media (max-width:600px){main{padding:1rem .6rem 3rem}figure{padding:.4rem}h1{font-size:1.4rem}
td:first-child,th:first-child{white-space:normal;min-width:8rem;max-width:9rem}.key{padding-left:1.6rem}}
)";

}  // namespace

void Page::heading(const std::string& text) { body_ += "<h2>" + escape(text) + "</h2>\n"; }

void Page::paragraph(const std::string& text) { body_ += "<p>" + escape(text) + "</p>\n"; }

void Page::key_sentences(const std::vector<std::string>& sentences) {
  if (sentences.empty()) return;
  body_ += "<ul class=\"key\">\n";
  for (const std::string& sentence : sentences) body_ += "<li>" + escape(sentence) + "</li>\n";
  body_ += "</ul>\n";
}

void Page::charts(const std::vector<std::string>& svgs) {
  if (svgs.empty()) return;
  body_ += "<div class=\"charts\">\n";
  for (const std::string& svg : svgs) body_ += "<figure>" + svg + "</figure>\n";
  body_ += "</div>\n";
}

void Page::folded(const std::string& summary, const std::string& preformatted) {
  body_ += "<details><summary>" + escape(summary) + "</summary><pre>" + escape(preformatted) + "</pre></details>\n";
}

std::string Page::html() const {
  const std::string subtitle = subtitle_.empty() ? "" : "<p class=\"subtitle\">" + escape(subtitle_) + "</p>\n";
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{0}</title>\n"
      "<style>\n{1}{2}</style>\n</head>\n<body>\n<main>\n<h1>{0}</h1>\n{3}{4}</main>\n</body>\n</html>\n",
      escape(title_), kPageCss, chart_css(), subtitle, body_);
}

}  // namespace detent::report
