#include "detent/ops/block_cache.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <algorithm>

#include "detent/base/aligned.h"

namespace detent {

namespace {

constexpr size_t kUnit = size_t{1} << 16;  // sizes are multiples of this, so that nearly equal ones meet

size_t rounded_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// nullptr where the system has no more. Begins at a huge page where it can hold one.
std::byte* map(size_t size) {
  const size_t spare = size >= kHugePage ? kHugePage : 0;
  void* const start = ::mmap(nullptr, size + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  auto* const bytes = static_cast<std::byte*>(start);
  if (spare == 0) return bytes;
  const size_t before = rounded_up(reinterpret_cast<uintptr_t>(bytes), kHugePage) - reinterpret_cast<uintptr_t>(bytes);
  if (before > 0) ::munmap(bytes, before);
  if (before < spare) ::munmap(bytes + before + size, spare - before);
  advise_huge_pages(bytes + before, size);
  return bytes + before;
}

}  // namespace

struct BlockCache::Handle {
  BlockCache& cache;
  Block block;
};

std::byte* BlockCache::Block::end() const { return data + size; }

// The first bytes of a block, which is left with the others.
BlockCache::Block BlockCache::cut(Block& block, size_t size) {
  const Block first{block.data, size};
  block = {block.data + size, block.size - size};
  return first;
}

BlockCache::Bytes BlockCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

c10::DataPtr BlockCache::allocate(size_t n) {
  if (n < kLeast) return small_.allocate(n);
  const Block block = n <= SIZE_MAX / 2 ? take(rounded_up(n, kUnit)) : Block{};
  if (!block.data) return small_.allocate(n);  // throws, or has what was let go
  return {block.data, new Handle{*this, block}, &give_back, c10::Device(c10::DeviceType::CPU)};
}

BlockCache::Block BlockCache::take(size_t size) {
  const std::lock_guard lock(mutex_);
  Block block{nullptr, size};
  if (!take_kept(size, block)) {
    const size_t most = std::max(bytes_.most_used, bytes_.used + size) + kSpare;
    let_go(most - bytes_.used - size);
    block.data = map(size);
    if (!block.data) {
      let_go(0);
      block.data = map(size);
    }
    if (!block.data) return block;
  }
  bytes_.used += block.size;
  bytes_.most_used = std::max(bytes_.most_used, bytes_.used);
  return block;
}

// The smallest that is large enough; of equal ones the last used, which caches may still hold. The rest of it stays.
bool BlockCache::take_kept(size_t size, Block& block) {
  auto best = kept_.end();
  for (auto it = kept_.begin(); it != kept_.end(); ++it)
    if (it->size >= size && (best == kept_.end() || it->size <= best->size)) best = it;
  if (best == kept_.end()) return false;
  block = cut(*best, size);
  bytes_.kept -= size;
  if (best->size == 0) kept_.erase(best);
  return true;
}

// Its neighbours among those that are kept become one with it.
void BlockCache::keep(Block block) {
  bytes_.kept += block.size;
  for (auto it = kept_.begin(); it != kept_.end();) {
    const bool before = it->end() == block.data, after = block.end() == it->data;
    if (before) block.data = it->data;
    if (before || after) block.size += it->size;
    it = before || after ? kept_.erase(it) : it + 1;
  }
  kept_.push_back(block);
}

void BlockCache::let_go(size_t most_kept) {
  while (bytes_.kept > most_kept) {
    Block& oldest = kept_.front();
    const Block gone = cut(oldest, std::min(oldest.size, bytes_.kept - most_kept));
    ::munmap(gone.data, gone.size);
    bytes_.kept -= gone.size;
    if (oldest.size == 0) kept_.erase(kept_.begin());
  }
}

void BlockCache::give_back(void* handle) {
  const auto* const given = static_cast<Handle*>(handle);
  BlockCache& cache = given->cache;
  {
    const std::lock_guard lock(cache.mutex_);
    cache.bytes_.used -= given->block.size;
    cache.keep(given->block);
  }
  delete given;
}

void use_block_cache() {
  static auto* const cache = new BlockCache(*c10::GetCPUAllocator());  // outlives every tensor of static storage
  c10::SetCPUAllocator(cache);
}

}  // namespace detent
