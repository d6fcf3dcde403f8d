// Bad input at one key of a configuration. Whoever finds it names the key, whoever holds the file adds the line.
#pragma once
#include "detent/base/error.h"

namespace detent {

struct Node;

class KeyError : public Error {
 public:
  // key: with its blocks, "optimizer.betas"
  KeyError(std::string key, const std::string& what) : Error(ExitCode::kBadInput, what), key_(std::move(key)) {}
  const std::string& key() const { return key_; }

 private:
  std::string key_;
};

// "optimizer.betas expects two numbers": the format is what follows the key.
template <class... Args>
[[noreturn]] void fail_key(const std::string& key, fmt::format_string<Args...> format, Args&&... args) {
  throw KeyError(key, key + " " + fmt::format(format, std::forward<Args>(args)...));
}

// What `read` returns; bad input that it finds is at `key`.
template <class F>
auto at_key(const std::string& key, F&& read) {
  try {
    return read();
  } catch (const KeyError&) {
    throw;
  } catch (const Error& error) {
    if (error.code() != ExitCode::kBadInput) throw;
    throw KeyError(key, key + ": " + error.what());
  }
}

// The error behind the place where its key stands in `root`, or else the innermost block of it that is written down.
[[noreturn]] void fail_at(const Node& root, const KeyError& error);

}  // namespace detent
