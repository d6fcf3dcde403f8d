// The device of a run. The program links LibTorch's CPU half alone and loads the CUDA half, which lies beside it in the
// same package, when a GPU can be used.
#pragma once
#include <ATen/core/Tensor.h>

#include <string>

namespace detent {

struct Cuda {
  bool usable = false;
  std::string name;         // of the first GPU; empty: none
  double memory_bytes = 0;  // of it
  std::string missing;      // why it cannot be used, a clause; empty when it can
  std::string fix;          // the way to it
};
// Looked for once, in this order: NVIDIA's driver, a GPU, the CUDA half of LibTorch.
const Cuda& find_cuda();

// auto: the first GPU where one can be used, else the CPU. cuda: fails with what is missing.
at::Device training_device(const std::string& wanted);
// "cpu", "cuda:0 (NVIDIA H100)"
std::string device_name(const at::Device& device);

}  // namespace detent
