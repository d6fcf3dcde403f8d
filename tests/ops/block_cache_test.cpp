// Blocks of memory are used again, never twice at once, and make the process little larger than what it needed.
#include "detent/ops/block_cache.h"

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

namespace detent {
namespace {

constexpr size_t kMegabyte = size_t{1} << 20;

struct BlockCacheTest : testing::Test {
  BlockCache cache{*c10::GetDefaultCPUAllocator()};
};

TEST_F(BlockCacheTest, GivesTheSameBlockAgain) {
  c10::DataPtr first = cache.allocate(5 * kMegabyte);
  const void* const data = first.get();
  first = {};
  EXPECT_EQ(cache.bytes().kept, 5 * kMegabyte);
  EXPECT_EQ(cache.allocate(5 * kMegabyte - 7).get(), data);
}

TEST_F(BlockCacheTest, CutsAKeptBlockAndJoinsItsPartsAgain) {
  c10::DataPtr whole = cache.allocate(8 * kMegabyte);
  const void* const data = whole.get();
  whole = {};
  c10::DataPtr first = cache.allocate(3 * kMegabyte), second = cache.allocate(kMegabyte),
               third = cache.allocate(4 * kMegabyte);
  EXPECT_EQ(cache.bytes().kept, 0U);
  EXPECT_EQ(cache.bytes().most_used, 8 * kMegabyte) << "all three lie in the block that was kept";
  for (c10::DataPtr* part : {&first, &third, &second}) *part = {};  // the middle one joins both sides
  EXPECT_EQ(cache.bytes().kept, 8 * kMegabyte);
  EXPECT_EQ(cache.allocate(8 * kMegabyte).get(), data);
}

// A part of what is kept is enough where a part is asked back for.
TEST_F(BlockCacheTest, LetsGoOfNoMoreThanItMust) {
  const c10::DataPtr held = cache.allocate(40 * kMegabyte);
  cache.allocate(60 * kMegabyte);
  EXPECT_EQ(cache.bytes().kept, 60 * kMegabyte);
  const c10::DataPtr larger = cache.allocate(80 * kMegabyte);
  EXPECT_EQ(cache.bytes().used, 120 * kMegabyte);
  EXPECT_EQ(cache.bytes().kept, BlockCache::kSpare);
}

TEST_F(BlockCacheTest, SmallOnesAreNotKept) {
  for (const size_t n : {size_t{0}, size_t{1}, BlockCache::kLeast - 1}) EXPECT_NO_THROW(cache.allocate(n));
  EXPECT_EQ(cache.bytes().most_used, 0U);
}

TEST_F(BlockCacheTest, KeepsLittleMoreThanWasNeeded) {
  bool spared = false;
  for (size_t n = 1; n < 40; ++n) {
    cache.allocate(n * kMegabyte);  // freed at once: no two of these were ever needed together
    const BlockCache::Bytes bytes = cache.bytes();
    EXPECT_EQ(bytes.used, 0U);
    EXPECT_LE(bytes.kept, bytes.most_used + BlockCache::kSpare);
    spared = spared || bytes.kept > bytes.most_used;
    EXPECT_EQ(bytes.most_used, n * kMegabyte);
  }
  EXPECT_TRUE(spared);
}

TEST_F(BlockCacheTest, MemoryThatThereIsNotThrowsAndLosesNothing) {
  c10::DataPtr held = cache.allocate(kMegabyte);
  for (const size_t n : {size_t{1} << 46, SIZE_MAX - 100, SIZE_MAX / 2})
    EXPECT_THROW(cache.allocate(n), c10::Error) << n;
  EXPECT_EQ(cache.bytes().used, kMegabyte);
}

// Each block is filled with a number of its own, which must still be there when it is given back.
void use_at_random(BlockCache& cache, uint32_t seed) {
  struct Held {
    c10::DataPtr data;
    size_t count;
    uint32_t mark;
  };
  std::mt19937 random(seed);
  std::vector<Held> held;
  for (uint32_t mark = seed; mark < seed + 200; ++mark) {
    const size_t count = (kMegabyte / 8) * (1 + random() % 40);
    held.push_back({cache.allocate(count * sizeof(uint32_t)), count, mark});
    auto* const words = static_cast<uint32_t*>(held.back().data.get());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(words) % 64, 0U);
    std::fill_n(words, count, mark);
    if (held.size() < 8) continue;
    std::swap(held[random() % held.size()], held.back());
    const auto* const back = static_cast<const uint32_t*>(held.back().data.get());
    EXPECT_EQ(std::count(back, back + held.back().count, held.back().mark), static_cast<int64_t>(held.back().count));
    held.pop_back();
  }
}

TEST_F(BlockCacheTest, NoBlockIsUsedTwiceAtOnce) {
  std::thread other([&] { use_at_random(cache, 1000000); });
  use_at_random(cache, 1);
  other.join();
  EXPECT_EQ(cache.bytes().used, 0U);
}

}  // namespace
}  // namespace detent
