// A progress bar with rate and time left on a terminal, a plain line every few seconds elsewhere. Writes to stderr.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace detent {

class Progress {
 public:
  // unit: what is counted, e.g. "step". start: where a resumed job begins. quiet: draw nothing.
  Progress(std::string title, int64_t total, std::string unit, int64_t start = 0, bool quiet = false);
  ~Progress();
  void update(int64_t done, const std::string& note = "");
  void finish(const std::string& note = "");  // the last line stays on the screen

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(int64_t done, const std::string& note) const;
  void draw(const std::string& text, bool last);
  std::string title_, unit_;
  int64_t total_, start_, done_;
  bool quiet_, terminal_, finished_ = false;
  Clock::time_point begin_, last_draw_;
};

std::string format_items(int64_t count, const std::string& item);  // "1 window", "2 windows"
std::string format_duration(double seconds);                       // "42s", "3m05s", "2h07m"
std::string format_count(double count);                            // "950", "12.3k", "4.5M"
std::string format_bytes(double bytes);                            // "950 B", "12.3 MB"

}  // namespace detent
