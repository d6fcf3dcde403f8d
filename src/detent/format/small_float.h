// The 16-bit float types by the names that files give them.
#pragma once
#include <string_view>

#include "detent/format/half.h"

namespace detent {

struct SmallFloat {
  const char* name;
  uint16_t (*to_bits)(float);  // rounds to nearest even
  float (*from_bits)(uint16_t);
};
inline constexpr SmallFloat kSmallFloats[] = {{"F16", float_to_half_bits, half_bits_to_float},
                                              {"BF16", float_to_bf16_bits, bf16_bits_to_float}};

// Null when the type is none.
inline const SmallFloat* find_small_float(std::string_view name) {
  for (const SmallFloat& type : kSmallFloats)
    if (name == type.name) return &type;
  return nullptr;
}

}  // namespace detent
