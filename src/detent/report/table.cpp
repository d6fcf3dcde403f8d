#include "detent/report/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "detent/report/text.h"

namespace detent::report {

namespace {

std::vector<std::string> headers(const Table& table) {
  std::vector<std::string> out;
  for (const Column& column : table.columns) out.push_back(column.header);
  return out;
}

std::vector<size_t> widths(const Table& table) {
  std::vector<size_t> out;
  for (const Column& column : table.columns) out.push_back(display_width(column.header));
  for (const auto& row : table.rows)
    for (size_t i = 0; i < row.size(); ++i) out[i] = std::max(out[i], display_width(row[i]));
  return out;
}

std::string text_row(const Table& table, const std::vector<std::string>& row, const std::vector<size_t>& width) {
  std::string out;
  for (size_t i = 0; i < row.size(); ++i) out += (i ? "  " : "") + pad(row[i], width[i], table.columns[i].right);
  return out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
}

std::string markdown_row(const std::vector<std::string>& row) {
  std::string out = "|";
  for (const std::string& cell : row) out += " " + escape_markdown(cell) + " |";
  return out + "\n";
}

std::string html_row(const Table& table, const std::vector<std::string>& row, const std::string& tag) {
  std::string out = "<tr>";
  for (size_t i = 0; i < row.size(); ++i)
    out += fmt::format("<{0}{1}>{2}</{0}>", tag, table.columns[i].right ? " class=\"right\"" : "", escape(row[i]));
  return out + "</tr>\n";
}

}  // namespace

std::string Table::text() const {
  const std::vector<size_t> width = widths(*this);
  std::string out = caption.empty() ? "" : caption + "\n";
  std::vector<std::string> rule;
  for (const size_t w : width) rule.push_back(std::string(w, '-'));
  out += text_row(*this, headers(*this), width) + text_row(*this, rule, width);
  for (const auto& row : rows) out += text_row(*this, row, width);
  for (const std::string& note : notes) out += note + "\n";
  return out;
}

std::string Table::markdown() const {
  std::string out = caption.empty() ? "" : "**" + escape_markdown(caption) + "**\n\n";
  out += markdown_row(headers(*this)) + "|";
  for (const Column& column : columns) out += column.right ? "---:|" : "---|";
  out += "\n";
  for (const auto& row : rows) out += markdown_row(row);
  for (const std::string& note : notes) out += "\n" + escape_markdown(note) + "\n";
  return out;
}

std::string Table::html() const {
  // Not a <caption>: that would scroll away with a table wider than the screen.
  std::string out = caption.empty() ? "" : "<p class=\"caption\">" + escape(caption) + "</p>\n";
  out += "<div class=\"scroll\"><table>\n<thead>" + html_row(*this, headers(*this), "th") + "</thead><tbody>\n";
  for (const auto& row : rows) out += html_row(*this, row, "td");
  out += "</tbody></table></div>\n";
  for (const std::string& note : notes) out += "<p class=\"note\">" + escape(note) + "</p>\n";
  return out;
}

}  // namespace detent::report
