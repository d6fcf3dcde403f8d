// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a counter-based generator.
// The stream is a pure function of (seed, stream, step, element): equal for any thread count and any order of use.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>

namespace detent {

using PhiloxBlock = std::array<uint32_t, 4>;

// Ten rounds on counter under key; the paper's constants.
inline PhiloxBlock philox4x32(PhiloxBlock counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

// What a random number is for. Two purposes never share a stream.
struct RandomStream {
  uint64_t seed = 0;
  uint32_t tensor = 0;  // which tensor or purpose
  uint32_t step = 0;    // which training step, epoch or draw

  // Four words for block index i (elements 4i .. 4i+3).
  PhiloxBlock block(uint64_t i) const {
    return philox4x32({static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), step, tensor},
                      {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  }
  uint32_t word(uint64_t element) const { return block(element / 4)[element % 4]; }
  // Uniform in [0, 1), 24 bits.
  float uniform(uint64_t element) const { return static_cast<float>(word(element) >> 8) * 0x1p-24f; }
};

}  // namespace detent
