// Which of two ways a tensor goes. The kernels read float32 in the memory of this machine; a tensor on any other device
// goes by composites of ATen's operations (ops/composite.h). Every op asks here, and nowhere else is it decided.
#pragma once
#include <ATen/core/Tensor.h>

namespace detent::ops {

bool has_kernels(const at::Tensor& x);

// While one lives, tensors of the CPU go by composites, too: how tests run what another device would run. Forwards and
// backwards of all threads see it.
class CompositesOnly {
 public:
  CompositesOnly();
  ~CompositesOnly();
  CompositesOnly(const CompositesOnly&) = delete;
  CompositesOnly& operator=(const CompositesOnly&) = delete;
};

}  // namespace detent::ops
