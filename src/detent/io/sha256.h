// SHA-256 (FIPS 180-4), streaming; uses the processor's SHA instructions where it has them.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace detent::io {

using Sha256Digest = std::array<uint8_t, 32>;

class Sha256 {
 public:
  // portable: plain C++ even where the processor has the instructions.
  explicit Sha256(bool portable = false);
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  Sha256Digest finish();  // the object is used up

 private:
  using State = std::array<uint32_t, 8>;

  void (*compress_)(State& state, const std::byte* blocks, size_t count);
  State state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> block_{};  // the bytes of the last, unfinished block
  uint64_t size_ = 0;                  // bytes taken so far
};

Sha256Digest sha256(std::span<const std::byte> bytes);
std::string to_hex(const Sha256Digest& digest);  // 64 lower-case digits

}  // namespace detent::io
