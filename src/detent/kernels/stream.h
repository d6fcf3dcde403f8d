// Outputs larger than the caches, which nothing reads before they would have left them: written past the caches, no
// line is fetched only to be overwritten. Whole vectors at aligned addresses are; others are written as ever.
#pragma once

namespace detent::kernels {

// To be called by each thread that wrote so, before others read.
void end_streaming();

}  // namespace detent::kernels
