// One self-contained page: no script, no font, no file or address outside it. Reads in light and dark and on a phone.
// Every text that comes in is escaped; charts are the only markup taken as it is.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "detent/report/table.h"

namespace detent::report {

class Page {
 public:
  explicit Page(std::string title, std::string subtitle = "")
      : title_(std::move(title)), subtitle_(std::move(subtitle)) {}
  void heading(const std::string& text);
  void paragraph(const std::string& text);
  void key_sentences(const std::vector<std::string>& sentences);
  void table(const Table& table) { body_ += table.html(); }
  void charts(const std::vector<std::string>& svgs);  // side by side where there is room
  void folded(const std::string& summary, const std::string& preformatted);
  std::string html() const;

 private:
  std::string title_, subtitle_, body_;
};

}  // namespace detent::report
