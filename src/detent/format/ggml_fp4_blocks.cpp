// Block types of 4-bit floats. Their element is E2M1 of the OCP Microscaling Formats v1.0, kept doubled as an integer,
// so the scale counts half.
#include <bit>
#include <cmath>

#include "detent/format/ggml_block_parts.h"

namespace detent {

namespace {

constexpr float kTwiceE2M1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};  // ggml has no -0

// Half of 2^(e - 127), the smallest two being subnormal. ggml takes 255, the standard's NaN, for a number too.
float half_e8m0(uint8_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23);
}

// Half of an unsigned E4M3 with bias 7. The top bit does not count, but the code 0x7F alone, a NaN, is read as zero.
float half_ue4m3(uint8_t code) {
  if (code == 0x7F) return 0;
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  const float raw = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                  : std::ldexp(1 + static_cast<float>(mantissa) / 8, exponent - 7);
  return raw * 0.5f;
}

float unpack_mxfp4_levels(const uint8_t* block, int8_t* levels) {
  for (int j = 0; j < 32; ++j) levels[j] = static_cast<int8_t>(kTwiceE2M1[nibble(block + 1, j)]);
  return half_e8m0(block[0]);
}

void unpack_mxfp4(const uint8_t* block, float* values) {
  int8_t levels[32];
  const float d = unpack_mxfp4_levels(block, levels);
  for (int j = 0; j < 32; ++j) values[j] = d * static_cast<float>(levels[j]);
}

// Four scales, then four sub-blocks of 16 elements in 8 bytes.
void unpack_nvfp4(const uint8_t* block, float* values) {
  for (int j = 0; j < 64; ++j) {
    const uint8_t byte = block[4 + j / 16 * 8 + j % 8];
    values[j] = kTwiceE2M1[j % 16 < 8 ? byte & 15 : byte >> 4] * half_ue4m3(block[j / 16]);
  }
}

// d = 2^(e - 128), e the byte that is stored; 255 is left to the standard's NaN.
std::optional<uint16_t> e8m0_bits(float d) {
  if (!(d >= 0x1p-128f) || !std::isfinite(d)) return std::nullopt;
  const int e = std::ilogb(d) + 128;
  if (e > 254 || half_e8m0(static_cast<uint8_t>(e)) != d) return std::nullopt;
  return static_cast<uint16_t>(e);
}

void pack_mxfp4(uint16_t scale, const int8_t* levels, uint8_t* block) {
  std::memset(block, 0, 17);
  block[0] = static_cast<uint8_t>(scale);
  for (int j = 0; j < 32; ++j) {
    int code = 0;
    while (kTwiceE2M1[code] != static_cast<float>(levels[j])) ++code;
    block[1 + j % 16] |= static_cast<uint8_t>(code << (j / 16 * 4));
  }
}

constexpr GgmlBlock kNvfp4[] = {{"NVFP4", 64, 36, unpack_nvfp4}};

}  // namespace

LevelBlock mxfp4_block() {
  return {{"MXFP4", 32, 17, unpack_mxfp4},
          {-12, 12, LevelSet::kTwiceE2M1},
          ScaleFormat::kE8M0,
          e8m0_bits,
          pack_mxfp4,
          unpack_mxfp4_levels};
}

std::span<const GgmlBlock> nvfp4_blocks() { return kNvfp4; }

}  // namespace detent
