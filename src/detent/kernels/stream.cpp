#include "detent/kernels/stream.h"

#include "hwy/cache_control.h"

namespace detent::kernels {

void end_streaming() { hwy::FlushStream(); }

}  // namespace detent::kernels
