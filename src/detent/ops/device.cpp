#include "detent/ops/device.h"

#include <ATen/ATen.h>

#include <atomic>

namespace detent::ops {

namespace {
std::atomic<int> composites_only = 0;
}

bool has_kernels(const at::Tensor& x) { return x.device().is_cpu() && composites_only == 0; }

CompositesOnly::CompositesOnly() { ++composites_only; }
CompositesOnly::~CompositesOnly() { --composites_only; }

}  // namespace detent::ops
