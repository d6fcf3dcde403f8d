#include "detent/train/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "detent/base/error.h"

namespace detent {

namespace {
volatile std::sig_atomic_t g_requested = 0;

void on_signal(int) {
  if (g_requested) _exit(static_cast<int>(ExitCode::kInterrupted));
  g_requested = 1;
}
}  // namespace

InterruptGuard::InterruptGuard() {
  g_requested = 0;
  former_int_ = std::signal(SIGINT, on_signal);
  former_term_ = std::signal(SIGTERM, on_signal);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, former_int_);
  std::signal(SIGTERM, former_term_);
}

bool InterruptGuard::requested() { return g_requested != 0; }

}  // namespace detent
