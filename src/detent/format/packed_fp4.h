// 4-bit floats as compressed-tensors' `mxfp4-pack-quantized` keeps them (compressors/{nvfp4,mxfp4,mx_utils} of
// vllm-project/compressed-tensors): elements E2M1, scales E8M0 of the OCP Microscaling Formats v1.0.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "detent/format/spec.h"

namespace detent {

inline constexpr int64_t kMxGroup = 32;  // consecutive weights of a row that share a scale

// Two to a byte, the first in the low half. Levels are twice an E2M1 number (LevelSet::kTwiceE2M1); fails on others, or
// on sizes that do not belong together.
void pack_fp4(std::span<const int8_t> levels, std::span<std::byte> bytes);
// The numbers themselves; code 8 is -0.
void unpack_fp4(std::span<const std::byte> bytes, std::span<float> values);

// 2^(e - 127); 255 is NaN.
float e8m0_value(uint8_t e);
std::optional<uint8_t> e8m0_code(float value);  // nothing unless a power of two from 2^-127 to 2^127

// Whether the format keeps a weight of this spec.
bool is_mxfp4(const QuantSpec& spec);

}  // namespace detent
