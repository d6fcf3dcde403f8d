// Block types with one fp16 scale and an integer level an element.
#include "detent/format/ggml_block_parts.h"

namespace detent {

namespace {

// Where d and the codes lie in a block, which bits of the codes element j has, and which code is level zero. put()
// meets bytes of zeros.
struct Q4_0 {
  static constexpr int kElements = 32, kBytes = 18, kScaleAt = 0, kCodesAt = 2, kLow = -8, kHigh = 7;
  static int get(const uint8_t* qs, int j) { return nibble(qs, j) - 8; }
  static void put(uint8_t* qs, int j, int level) { qs[j % 16] |= static_cast<uint8_t>((level + 8) << (j / 16 * 4)); }
};

// Four bytes of fifth bits, then nibbles.
struct Q5_0 {
  static constexpr int kElements = 32, kBytes = 22, kScaleAt = 0, kCodesAt = 2, kLow = -16, kHigh = 15;
  static int get(const uint8_t* qs, int j) { return (nibble(qs + 4, j) | bit(qs, j) << 4) - 16; }
  static void put(uint8_t* qs, int j, int level) {
    qs[4 + j % 16] |= static_cast<uint8_t>(((level + 16) & 15) << (j / 16 * 4));
    qs[j / 8] |= static_cast<uint8_t>((level >= 0 ? 1 : 0) << (j % 8));
  }
};

struct Q8_0 {
  static constexpr int kElements = 32, kBytes = 34, kScaleAt = 0, kCodesAt = 2, kLow = -128, kHigh = 127;
  static int get(const uint8_t* qs, int j) { return static_cast<int8_t>(qs[j]); }
  static void put(uint8_t* qs, int j, int level) { qs[j] = static_cast<uint8_t>(level); }
};

struct Q1_0 {
  static constexpr int kElements = 128, kBytes = 18, kScaleAt = 0, kCodesAt = 2, kLow = -1, kHigh = 1;
  static int get(const uint8_t* qs, int j) { return bit(qs, j) == 1 ? 1 : -1; }
  static void put(uint8_t* qs, int j, int level) { qs[j / 8] |= static_cast<uint8_t>((level > 0 ? 1 : 0) << (j % 8)); }
};

struct Q2_0 {
  static constexpr int kElements = 64, kBytes = 18, kScaleAt = 0, kCodesAt = 2, kLow = -1, kHigh = 2;
  static int get(const uint8_t* qs, int j) { return ((qs[j / 4] >> (j % 4 * 2)) & 3) - 1; }
  static void put(uint8_t* qs, int j, int level) { qs[j / 4] |= static_cast<uint8_t>((level + 1) << (j % 4 * 2)); }
};

// Up to five base-3 digits a byte, kept as a fraction of 256 so that a multiplication moves each to the top: 32 bytes
// of five, 16 bytes of five, 4 bytes of four, and elements run along the bytes first.
struct TQ1_0 {
  static constexpr int kElements = 256, kBytes = 54, kScaleAt = 52, kCodesAt = 0, kLow = -1, kHigh = 1;
  static constexpr int kPowers[] = {1, 3, 9, 27, 81};
  struct Place {
    int byte, digit;  // digit 0 is the most significant
  };
  static Place place(int j) {
    if (j < 160) return {j % 32, j / 32};
    if (j < 240) return {32 + (j - 160) % 16, (j - 160) / 16};
    return {48 + (j - 240) % 4, (j - 240) / 4};
  }
  static int get(const uint8_t* qs, int j) {
    const Place at = place(j);
    const auto top = static_cast<uint8_t>(qs[at.byte] * kPowers[at.digit]);
    return (top * 3 >> 8) - 1;
  }
  static void put(uint8_t* qs, int j, int level) {
    const Place at = place(j);
    qs[at.byte] = static_cast<uint8_t>(qs[at.byte] + (level + 1) * kPowers[4 - at.digit]);
  }
  static void finish(uint8_t* qs) {
    for (int i = 0; i < kScaleAt; ++i) qs[i] = static_cast<uint8_t>((qs[i] * 256 + 242) / 243);
  }
};

// Code 3 is never written; read, it is level 2.
struct TQ2_0 {
  static constexpr int kElements = 256, kBytes = 66, kScaleAt = 64, kCodesAt = 0, kLow = -1, kHigh = 1;
  static int get(const uint8_t* qs, int j) { return plane_pair(qs, j) - 1; }
  static void put(uint8_t* qs, int j, int level) {
    qs[plane_byte(j)] |= static_cast<uint8_t>((level + 1) << plane_shift(j));
  }
};

template <class Layout>
void pack(uint16_t d, const int8_t* levels, uint8_t* block) {
  std::memset(block, 0, Layout::kBytes);
  std::memcpy(block + Layout::kScaleAt, &d, sizeof d);
  uint8_t* codes = block + Layout::kCodesAt;
  for (int j = 0; j < Layout::kElements; ++j) Layout::put(codes, j, levels[j]);
  if constexpr (requires { Layout::finish(codes); }) Layout::finish(codes);
}

template <class Layout>
float unpack_levels(const uint8_t* block, int8_t* levels) {
  for (int j = 0; j < Layout::kElements; ++j) levels[j] = static_cast<int8_t>(Layout::get(block + Layout::kCodesAt, j));
  return half_at(block + Layout::kScaleAt);
}

template <class Layout>
void unpack(const uint8_t* block, float* values) {
  int8_t levels[Layout::kElements];
  const float d = unpack_levels<Layout>(block, levels);
  for (int j = 0; j < Layout::kElements; ++j) values[j] = d * static_cast<float>(levels[j]);
}

std::optional<uint16_t> half_bits(float d) {
  const uint16_t bits = float_to_half_bits(d);
  if (!std::isfinite(d)) return std::nullopt;
  if (std::bit_cast<uint32_t>(half_bits_to_float(bits)) != std::bit_cast<uint32_t>(d)) return std::nullopt;
  return bits;
}

template <class L>
constexpr LevelBlock row(const char* name, LevelSet::Kind kind = LevelSet::kAll) {
  return {{name, L::kElements, L::kBytes, unpack<L>},
          {L::kLow, L::kHigh, kind},
          ScaleFormat::kFp16,
          half_bits,
          pack<L>,
          unpack_levels<L>};
}

constexpr LevelBlock kLevelBlocks[] = {
    row<Q4_0>("Q4_0"),   row<Q5_0>("Q5_0"),  row<Q8_0>("Q8_0"), row<Q2_0>("Q2_0"), row<Q1_0>("Q1_0", LevelSet::kOdd),
    row<TQ1_0>("TQ1_0"), row<TQ2_0>("TQ2_0")};

}  // namespace

std::span<const LevelBlock> half_scale_blocks() { return kLevelBlocks; }

}  // namespace detent
