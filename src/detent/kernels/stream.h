// Outputs written past the caches, whole vectors at aligned addresses: no line is fetched only to be overwritten, which
// for many megabytes saves more than reading them again from memory costs.
#pragma once

namespace detent::kernels {

// To be called by each thread that wrote so, before others read.
void end_streaming();

}  // namespace detent::kernels
