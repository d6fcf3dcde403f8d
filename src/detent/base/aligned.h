// Memory that begins with a cache line. Elsewhere every second vector of 32 bytes, and each of 64, lies in two lines.
#pragma once
#include <cstddef>
#include <limits>
#include <new>
#include <vector>

namespace detent {

inline constexpr std::align_val_t kCacheLine{64};

template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(std::size_t n) {
    if (n > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(::operator new(n * sizeof(T), kCacheLine));
  }
  void deallocate(T* memory, std::size_t) { ::operator delete(memory, kCacheLine); }
  friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) { return true; }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace detent
