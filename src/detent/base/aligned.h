// Memory that begins with a cache line, and of a huge page and more with a huge page, where the system gives them.
// Elsewhere every second vector of 32 bytes, and each of 64, lies in two lines; and walks over small pages look each of
// them up, which takes AdamW a sixth of its time.
#pragma once
#include <cstddef>
#include <limits>
#include <new>
#include <vector>

namespace detent {

inline constexpr std::size_t kCacheLine = 64, kHugePage = std::size_t{1} << 21;

// Pages of [memory, memory + size), which begins with a huge page, may be huge: those not touched yet at once, others
// whenever the system finds the time. Advice: it may be refused.
void advise_huge_pages(void* memory, std::size_t size);
void* allocate_aligned(std::size_t size);
void free_aligned(void* memory, std::size_t size);

template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(std::size_t n) {
    if (n > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
    return static_cast<T*>(allocate_aligned(n * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t n) { free_aligned(memory, n * sizeof(T)); }
  friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) { return true; }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace detent
