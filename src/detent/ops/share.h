// Work that threads share as they go.
#pragma once
#include <cstdint>
#include <functional>

namespace detent::ops {

// body(first, last) over pieces of [0, count), which each thread takes when it is done with the one before: a thread
// that is held up, or a slower core, gets fewer. Pieces begin at multiples of grain, and none but the last is smaller.
// On one thread, or within another parallel region, it is one call. Which thread does what must not matter to the
// result.
void share(int64_t count, int64_t grain, const std::function<void(int64_t first, int64_t last)>& body);

}  // namespace detent::ops
