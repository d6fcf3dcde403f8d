// Packing of the types with two-level scales; the way back is in ggml_k_blocks.cpp.
#include "detent/base/error.h"
#include "detent/format/ggml_block_parts.h"
#include "detent/format/two_level.h"

namespace detent {

namespace {

void put_half(uint8_t* at, uint16_t bits) { std::memcpy(at, &bits, sizeof bits); }

void put_pair(uint8_t* qs, int j, int value) { qs[plane_byte(j)] |= static_cast<uint8_t>(value << plane_shift(j)); }

void pack_q2_k(const KScales& scales, const uint8_t* codes, uint8_t* block) {
  for (int i = 0; i < 16; ++i) block[i] = static_cast<uint8_t>(scales.k[i] | scales.k[i] << 4);
  for (int j = 0; j < kSuperBlock; ++j) put_pair(block + 16, j, codes[j]);
  put_half(block + 80, scales.d);
  put_half(block + 82, scales.min);
}

void pack_q3_k(const KScales& scales, const uint8_t* codes, uint8_t* block) {
  uint8_t *mask = block, *packed = block + 96;
  for (int j = 0; j < kSuperBlock; ++j) {
    put_pair(block + 32, j, codes[j] & 3);
    mask[j % 32] |= static_cast<uint8_t>((codes[j] >> 2) << (j / 32));
  }
  for (int i = 0; i < 16; ++i) {
    const int k = scales.k[i] + 32;
    packed[i % 8] |= static_cast<uint8_t>((k & 15) << (i / 8 * 4));
    packed[8 + i % 4] |= static_cast<uint8_t>((k >> 4) << (i / 4 * 2));
  }
  put_half(block + 108, scales.d);
}

// Scale and minimum are the same integer here: the minimum's own super-scale carries the lowest level.
void pack_q4_k(const KScales& scales, const uint8_t* codes, uint8_t* block) {
  put_half(block, scales.d);
  put_half(block + 2, scales.min);
  uint8_t* b = block + 4;
  for (int i = 0; i < 4; ++i) {
    const int low = scales.k[i], high = scales.k[i + 4];
    b[i] = b[i + 4] = static_cast<uint8_t>(low | high >> 4 << 6);
    b[i + 8] = static_cast<uint8_t>((high & 15) | (high & 15) << 4);
  }
  for (int j = 0; j < kSuperBlock; ++j)
    block[16 + j / 64 * 32 + j % 32] |= static_cast<uint8_t>(codes[j] << (j % 64 / 32 * 4));
}

KBlock row(const char* name, int group, ScaleFormat format, int high, std::optional<float> low,
           void (*pack)(const KScales&, const uint8_t*, uint8_t*)) {
  return {*find_ggml_block(name), group, format, high, low, pack};
}

}  // namespace

std::span<const KBlock> packed_k_blocks() {
  static const KBlock blocks[] = {row("Q2_K", 16, ScaleFormat::kQ2K, 3, std::nullopt, pack_q2_k),
                                  row("Q3_K", 16, ScaleFormat::kQ3K, 7, -4, pack_q3_k),
                                  row("Q4_K", 32, ScaleFormat::kQ4K, 15, std::nullopt, pack_q4_k)};
  return blocks;
}

const KBlock* find_k_block(std::string_view name) {
  for (const KBlock& block : packed_k_blocks())
    if (name == block.name) return &block;
  return nullptr;
}

void pack_k_block(const KBlock& block, const KScales& scales, std::span<const uint8_t> codes,
                  std::span<std::byte> packed) {
  const TwoLevel levels = two_level(block.scale_format).value();
  if (static_cast<int>(scales.k.size()) * block.group != block.elements ||
      static_cast<int>(codes.size()) != block.elements || static_cast<int>(packed.size()) != block.bytes)
    fail("[{}] a block takes {} codes, {} scales and {} bytes", block.name, block.elements,
         block.elements / block.group, block.bytes);
  for (const int k : scales.k)
    if (k < levels.low || k > levels.high)
      fail("[{}] scale {} does not exist; scales are from {} to {}", block.name, k, levels.low, levels.high);
  for (const uint8_t code : codes)
    if (code > block.high) fail("[{}] code {} does not exist; codes are from 0 to {}", block.name, code, block.high);
  auto* out = reinterpret_cast<uint8_t*>(packed.data());
  std::memset(out, 0, packed.size());
  block.pack(scales, codes.data(), out);
}

}  // namespace detent
