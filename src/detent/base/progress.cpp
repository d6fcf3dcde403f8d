#include "detent/base/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace detent {

namespace {
constexpr auto kTerminalInterval = std::chrono::milliseconds(100);
constexpr auto kPlainInterval = std::chrono::seconds(5);

int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}
}  // namespace

std::string format_items(int64_t count, const std::string& item) {
  return fmt::format("{} {}{}", count, item, count == 1 ? "" : "s");
}

std::string format_duration(double seconds) {
  const auto whole = std::llround(std::max(0.0, seconds));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

namespace {
std::string scaled(double value, const char* const* suffixes, const char* none) {
  int step = 0;
  for (; value >= 999.5 && step < 4; ++step) value /= 1000;
  return step == 0 ? fmt::format("{:.0f}{}", value, none) : fmt::format("{:.3g}{}", value, suffixes[step - 1]);
}
}  // namespace

std::string format_count(double count) {
  static const char* const suffixes[] = {"k", "M", "B", "T"};
  return scaled(count, suffixes, "");
}

std::string format_bytes(double bytes) {
  static const char* const suffixes[] = {" kB", " MB", " GB", " TB"};
  return scaled(bytes, suffixes, " B");
}

Progress::Progress(std::string title, int64_t total, std::string unit, int64_t start, bool quiet)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      start_(start),
      done_(start),
      quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) != 0),
      begin_(Clock::now()),
      last_draw_(begin_) {}

Progress::~Progress() {
  if (!finished_ && terminal_ && !quiet_) std::fputc('\n', stderr);
}

std::string Progress::line(int64_t done, const std::string& note) const {
  const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - start_) / seconds : 0;
  const double left = rate > 0 ? static_cast<double>(total_ - done) / rate : 0;
  const std::string tail =
      fmt::format("{}/{} {}  {} {}/s  {} left  {}", format_count(static_cast<double>(done)),
                  format_count(static_cast<double>(total_)), unit_,
                  rate < 1000 ? fmt::format("{:.3g}", rate) : format_count(rate), unit_, format_duration(left), note);
  if (!terminal_) return fmt::format("{}: {}", title_, tail);
  const int room = std::clamp(terminal_width() - static_cast<int>(title_.size() + tail.size()) - 6, 0, 30);
  const int filled = total_ > 0 ? static_cast<int>(room * done / total_) : room;
  std::string bar;
  for (int i = 0; i < room; ++i) bar += i < filled ? "█" : "░";
  return fmt::format("{} {} {}", title_, bar, tail);
}

void Progress::draw(const std::string& text, bool last) {
  if (terminal_)
    fmt::print(stderr, "\r\x1b[2K{}{}", text, last ? "\n" : "");
  else
    fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
  last_draw_ = Clock::now();
}

void Progress::update(int64_t done, const std::string& note) {
  done_ = done;
  if (quiet_) return;
  const auto since = Clock::now() - last_draw_;
  if (terminal_ ? since >= kTerminalInterval : since >= kPlainInterval) draw(line(done, note), false);
}

void Progress::finish(const std::string& note) {
  if (quiet_ || finished_) return;
  finished_ = true;
  draw(line(done_, note), true);
}

}  // namespace detent
