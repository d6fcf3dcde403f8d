// Which quantized values are fp16 numbers.
#pragma once
#include <optional>
#include <string>

#include "detent/format/spec.h"

namespace detent {

// Why values d * level of this spec are not all fp16 numbers, by counting significant bits; nothing when they are,
// unless they leave fp16's range.
std::optional<std::string> half_refusal(const QuantSpec& spec);
QuantSpec nearest_half_spec(const QuantSpec& spec);

}  // namespace detent
