// Errors that reach the user: one sentence that names the thing and the way out, and the exit code that goes with it.
#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace detent {

enum class ExitCode { kSuccess = 0, kNo = 1, kBadInput = 2, kInterrupted = 3, kMachineFault = 4 };

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& what) : std::runtime_error(what), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

// Bad usage or bad input (exit 2).
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ExitCode::kBadInput, fmt::format(format, std::forward<Args>(args)...));
}

// A fault of the machine: disk full, file system read-only, out of memory (exit 4).
template <class... Args>
[[noreturn]] void fail_machine(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ExitCode::kMachineFault, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace detent
