#include "detent/data/shuffle.h"

#include <utility>

#include "detent/base/error.h"
#include "detent/base/philox.h"

namespace detent {

Permutation::Permutation(uint64_t seed, int64_t epoch, int64_t size)
    : seed_(seed), epoch_(static_cast<uint32_t>(epoch)), size_(static_cast<uint64_t>(size)) {
  if (size < 1) fail("[shuffle] cannot permute {} elements; give at least one", size);
  while (half_bits_ < 32 && (uint64_t{1} << (2 * half_bits_)) < size_) ++half_bits_;
}

uint64_t Permutation::once(uint64_t value) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  const RandomStream random{seed_, kShuffleStream, epoch_};
  uint64_t left = value >> half_bits_, right = value & mask;
  for (uint64_t round = 0; round < 8; ++round) {
    const uint64_t word = random.block(round << 32 | right)[0];
    left = std::exchange(right, left ^ (word & mask));
  }
  return left << half_bits_ | right;
}

int64_t Permutation::operator()(int64_t index) const {
  uint64_t value = static_cast<uint64_t>(index);
  do value = once(value);
  while (value >= size_);
  return static_cast<int64_t>(value);
}

}  // namespace detent
