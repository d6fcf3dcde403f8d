// The floats that arithmetic treats specially.
#pragma once
#include <limits>

namespace detent::test {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace detent::test
