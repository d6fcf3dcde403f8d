// A table as plain data, and its three spellings: aligned text for a terminal, Markdown, HTML.
#pragma once
#include <string>
#include <vector>

namespace detent::report {

struct Column {
  std::string header;
  bool right = true;  // numbers line up on the right
};

struct Table {
  std::string caption;
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  // each as long as columns
  std::vector<std::string> notes;              // below the table

  std::string text() const;
  std::string markdown() const;
  std::string html() const;
};

}  // namespace detent::report
