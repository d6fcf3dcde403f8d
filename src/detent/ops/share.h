// Work that threads share as they go.
#pragma once
#include <cstdint>
#include <functional>

namespace detent::ops {

// body(first, last) over pieces of [0, count), which each thread takes when it is done with the one before: a thread
// that is held up, or a slower core, gets fewer. Pieces begin at multiples of grain, and none but the last is smaller.
// It is one call where there is one grain or one thread, and within another parallel region. Which thread does what
// must not matter to the result. most_threads: no more than so many take part.
void share(int64_t count, int64_t grain, const std::function<void(int64_t first, int64_t last)>& body,
           int64_t most_threads = INT64_MAX);

}  // namespace detent::ops
