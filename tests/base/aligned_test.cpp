#include "detent/base/aligned.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>

namespace detent {
namespace {

// Around a huge page; a sanitizer sees a wrong size or a delete that does not fit.
TEST(AlignedVector, BeginsWithALineAndFromAHugePageOnWithOne) {
  for (const std::size_t n : {std::size_t{1}, kHugePage - 1, kHugePage, kHugePage + 1, 3 * kHugePage / 2}) {
    AlignedVector<uint8_t> bytes(n, uint8_t{1});
    const auto address = reinterpret_cast<uintptr_t>(bytes.data());
    EXPECT_EQ(address % (n < kHugePage ? kCacheLine : kHugePage), 0u) << n;
    EXPECT_EQ(std::accumulate(bytes.begin(), bytes.end(), std::size_t{0}), n);
    const AlignedVector<uint8_t> copy = bytes;
    bytes.resize(n / 2 + 1);
    bytes.shrink_to_fit();
    EXPECT_EQ(copy.back(), 1);
  }
}

}  // namespace
}  // namespace detent
