// How much memory a training run will need, from its configuration alone.
#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "detent/train/config.h"

namespace detent {

struct MemoryEstimate {
  int64_t parameters = 0, tokens_per_step = 0;
  double program = 0, weights = 0, gradients = 0, optimizer = 0, activations = 0;  // bytes
  double available = 0;  // there is where the run takes it: this machine's, or its GPU's
  double total() const { return program + weights + gradients + optimizer + activations; }
  std::string breakdown() const;
};
// On the CPU to be asked before the model is built: what the program has by then is part of it.
MemoryEstimate estimate_memory(const TrainConfig& config, const at::Device& device);
// Fails when that is more than there is.
void check_memory(const MemoryEstimate& estimate);

}  // namespace detent
