// What the targets share. A target may throw detent::Error on an input and nothing else.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "detent/base/error.h"

namespace detent::fuzz {

// Stops the program where a property does not hold, in every build.
inline void check(bool property) {
  if (!property) std::abort();
}

// Runs action on the input; says that an input which is an error is as good as any other.
template <class Action>
int run(const uint8_t* data, size_t size, Action action) {
  try {
    action(std::as_bytes(std::span(data, size)));
  } catch (const Error&) {
  }
  return 0;
}

}  // namespace detent::fuzz
