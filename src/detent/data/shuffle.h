// A permutation of 0 .. size-1 that needs no memory: element i of any epoch is computed alone, alike everywhere.
#pragma once
#include <cstdint>

namespace detent {

// A balanced Feistel network on the smallest even number of bits, at least eight, that holds size, its result fed back
// while it lies outside (cycle walking: Black & Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002).
// With h = bits / 2 and value = left * 2^h + right, each of the rounds r = 0..7 does
//   word = Philox4x32-10(counter = {right, r, epoch mod 2^32, kShuffleStream}, key = {seed mod 2^32, seed / 2^32})[0]
//   (left, right) = (right, left xor (word mod 2^h))
// Below eight bits, some orders of five elements come measurably more often than others.
// tests/data/golden/shuffle.py restates this.
class Permutation {
 public:
  static constexpr uint32_t kShuffleStream = 0x73687566;  // "shuf"

  Permutation(uint64_t seed, int64_t epoch, int64_t size);
  int64_t operator()(int64_t index) const;  // 0 <= index < size

 private:
  uint64_t once(uint64_t value) const;

  uint64_t seed_;
  uint32_t epoch_;
  uint64_t size_;
  int half_bits_ = 4;
};

}  // namespace detent
