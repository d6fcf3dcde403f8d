#include "detent/format/ggml_blocks.h"

#include <algorithm>
#include <cstring>

#include "detent/base/error.h"
#include "detent/format/half.h"

namespace detent {

namespace {

// Codes as they lie in the bytes after d: which bits element j has, and which code is level zero.
struct Q4_0 {
  static constexpr int kElements = 32, kBytes = 18, kLow = -8, kHigh = 7;
  static int get(const uint8_t* qs, int j) { return ((qs[j % 16] >> (j / 16 * 4)) & 15) - 8; }
  static void put(uint8_t* qs, int j, int level) { qs[j % 16] |= static_cast<uint8_t>((level + 8) << (j / 16 * 4)); }
};

struct Q8_0 {
  static constexpr int kElements = 32, kBytes = 34, kLow = -128, kHigh = 127;
  static int get(const uint8_t* qs, int j) { return static_cast<int8_t>(qs[j]); }
  static void put(uint8_t* qs, int j, int level) { qs[j] = static_cast<uint8_t>(level); }
};

struct Q2_0 {
  static constexpr int kElements = 64, kBytes = 18, kLow = -1, kHigh = 2;
  static int get(const uint8_t* qs, int j) { return ((qs[j / 4] >> (j % 4 * 2)) & 3) - 1; }
  static void put(uint8_t* qs, int j, int level) { qs[j / 4] |= static_cast<uint8_t>((level + 1) << (j % 4 * 2)); }
};

template <class Layout>
void pack(uint16_t d, const int8_t* levels, uint8_t* block) {
  std::memset(block, 0, Layout::kBytes);
  std::memcpy(block, &d, sizeof d);
  for (int j = 0; j < Layout::kElements; ++j) Layout::put(block + sizeof d, j, levels[j]);
}

template <class Layout>
void unpack(const uint8_t* block, float* values) {
  uint16_t bits;
  std::memcpy(&bits, block, sizeof bits);
  const float d = half_bits_to_float(bits);
  for (int j = 0; j < Layout::kElements; ++j) values[j] = d * static_cast<float>(Layout::get(block + sizeof bits, j));
}

template <class L>
constexpr GgmlBlock row(const char* name) {
  return {name, L::kElements, L::kBytes, L::kLow, L::kHigh, pack<L>, unpack<L>};
}

constexpr GgmlBlock kBlocks[] = {row<Q4_0>("Q4_0"), row<Q8_0>("Q8_0"), row<Q2_0>("Q2_0")};

void check_sizes(const GgmlBlock& block, size_t elements, size_t bytes) {
  const size_t count = elements / static_cast<size_t>(block.elements);
  if (elements % static_cast<size_t>(block.elements) != 0 || bytes != count * static_cast<size_t>(block.bytes))
    fail("[{}] {} elements do not fill {} bytes: a block is {} elements in {} bytes", block.name, elements, bytes,
         block.elements, block.bytes);
}

}  // namespace

std::span<const GgmlBlock> ggml_blocks() { return kBlocks; }

const GgmlBlock* find_ggml_block(std::string_view name) {
  for (const GgmlBlock& block : kBlocks)
    if (name == block.name) return &block;
  return nullptr;
}

void pack_blocks(const GgmlBlock& block, std::span<const uint16_t> d, std::span<const int8_t> levels,
                 std::span<std::byte> packed) {
  check_sizes(block, levels.size(), packed.size());
  if (d.size() * static_cast<size_t>(block.elements) != levels.size())
    fail("[{}] got {} scales for {} elements, expected one for {}", block.name, d.size(), levels.size(),
         block.elements);
  for (const int8_t level : levels)
    if (level < block.low || level > block.high)
      fail("[{}] level {} does not exist: got codes beyond {} to {}", block.name, level, block.low, block.high);
  auto* out = reinterpret_cast<uint8_t*>(packed.data());
  for (size_t i = 0; i < d.size(); ++i) block.pack(d[i], &levels[i * block.elements], out + i * block.bytes);
}

void unpack_blocks(const GgmlBlock& block, std::span<const std::byte> packed, std::span<float> values) {
  check_sizes(block, values.size(), packed.size());
  const auto* in = reinterpret_cast<const uint8_t*>(packed.data());
  const size_t count = values.size() / static_cast<size_t>(block.elements);
  for (size_t i = 0; i < count; ++i) block.unpack(in + i * block.bytes, &values[i * block.elements]);
}

}  // namespace detent
