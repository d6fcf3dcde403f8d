// Buffers that notice writes outside their bounds, at any alignment.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace detent::test {

// n elements, the first one `offset` elements after a 64-byte boundary, with guard bytes on both sides.
template <class T>
class Guarded {
 public:
  // Not inline: GCC 12 would warn of a copy of 2^64 - 256 bytes, which n would have to wrap around for.
  [[gnu::noinline]] Guarded(int64_t n, int offset)
      : n_(static_cast<size_t>(n)), bytes_(n_ * sizeof(T) + 4 * kGuard, kPattern) {
    const size_t misaligned = reinterpret_cast<uintptr_t>(bytes_.data()) % kGuard;
    start_ = kGuard + (kGuard - misaligned) + static_cast<size_t>(offset) * sizeof(T);
  }
  Guarded(const std::vector<T>& values, int offset) : Guarded(static_cast<int64_t>(values.size()), offset) {
    if (n_ != 0) std::memcpy(data(), values.data(), n_ * sizeof(T));
  }

  T* data() { return reinterpret_cast<T*>(bytes_.data() + start_); }
  const T* data() const { return reinterpret_cast<const T*>(bytes_.data() + start_); }
  std::vector<T> values() const { return std::vector<T>(data(), data() + n_); }

  bool intact() const {
    const size_t end = start_ + n_ * sizeof(T);
    return is_pattern(bytes_.data(), start_) && is_pattern(bytes_.data() + end, bytes_.size() - end);
  }

 private:
  static constexpr size_t kGuard = 64;
  static constexpr uint8_t kPattern = 0xA5;
  // n >= 1 bytes. The library's loop: one here would be most of the time of tests compiled without optimization.
  static bool is_pattern(const uint8_t* bytes, size_t n) {
    return bytes[0] == kPattern && std::memcmp(bytes, bytes + 1, n - 1) == 0;
  }
  size_t n_;
  std::vector<uint8_t> bytes_;
  size_t start_ = 0;
};

}  // namespace detent::test
