// A permutation of 0 .. size-1 that needs no memory: element i of any epoch is computed alone, alike everywhere.
#pragma once
#include <cstdint>

namespace detent {

// A balanced Feistel network on the smallest even number of bits that holds size (at least two), with the result fed
// back while it lies outside (cycle walking: Black & Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002).
// With h = bits / 2, value = left * 2^h + right, rounds r = 0..7 do
//   (left, right) = (right, left xor (word & (2^h - 1)))
//   word = Philox4x32-10(counter = {right mod 2^32, r, epoch mod 2^32, kShuffleStream}, key = seed)[0].
// Eight rounds: on domains this small four leave visible bias. tests/data/golden/shuffle.py restates it.
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
  int half_bits_ = 1;
};

}  // namespace detent
