#include "detent/base/aligned.h"

#include <sys/mman.h>

namespace detent {

namespace {
std::align_val_t alignment_of(std::size_t size) { return std::align_val_t{size >= kHugePage ? kHugePage : kCacheLine}; }
}  // namespace

void advise_huge_pages(void* memory, std::size_t size) { ::madvise(memory, size, MADV_HUGEPAGE); }

void* allocate_aligned(std::size_t size) {
  void* const memory = ::operator new(size, alignment_of(size));
  if (size >= kHugePage) advise_huge_pages(memory, size / kHugePage * kHugePage);  // of pages that are all its own
  return memory;
}

void free_aligned(void* memory, std::size_t size) { ::operator delete(memory, alignment_of(size)); }

}  // namespace detent
