// Large tensors from memory that the process already has. A step frees and asks again for the same hundreds of
// megabytes; through the system each time costs a page fault and a clearing for every 4 kB of them.
#pragma once
#include <c10/core/Allocator.h>

#include <cstddef>
#include <mutex>
#include <vector>

namespace detent {

// Blocks of at least kLeast bytes; smaller ones come from `small`. What is kept for later makes the sum of kept and
// used blocks larger than the sum of used ones has ever been by kSpare at most. A kept block is cut for a smaller one,
// and what lies side by side is one again when it comes back: phases need blocks of other sizes, as attention and MLP
// do. Large pages are asked for where the system grants them. Memory that the system does not give throws what `small`
// throws.
class BlockCache final : public c10::Allocator {
 public:
  static constexpr size_t kLeast = size_t{1} << 18, kSpare = size_t{1} << 25;

  explicit BlockCache(c10::Allocator& small) : small_(small) {}

  struct Bytes {
    size_t used = 0, kept = 0, most_used = 0;
  };
  Bytes bytes() const;

  c10::DataPtr allocate(size_t n) override;
  void copy_data(void* to, const void* from, size_t n) const override { default_copy_data(to, from, n); }

 private:
  struct Block {
    std::byte* data;
    size_t size;
    std::byte* end() const;
  };
  struct Handle;
  static void give_back(void* handle);

  Block take(size_t size);
  bool take_kept(size_t size, Block& block);
  void keep(Block block);
  static Block cut(Block& block, size_t size);
  void let_go(size_t most_kept);

  c10::Allocator& small_;
  mutable std::mutex mutex_;
  std::vector<Block> kept_;  // what came back last at the end
  Bytes bytes_;
};

// Every CPU tensor made from now on in this process. Call once, before tensors are made.
void use_block_cache();

}  // namespace detent
