// Ctrl-C and SIGTERM: the first asks the loop to finish its step and save, a second Ctrl-C ends the program at once.
#pragma once

namespace detent {

class InterruptGuard {
 public:
  InterruptGuard();   // installs the handlers
  ~InterruptGuard();  // puts the former ones back
  static bool requested();

 private:
  void (*former_int_)(int);
  void (*former_term_)(int);
};

}  // namespace detent
