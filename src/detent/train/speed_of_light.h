// The least time a training step could take on this machine, to hold the time it takes against: the products of its
// matrices at the highest rate of their instructions, and then the bytes of weights and optimizer that no
// implementation can leave where they are, at the rate of memory. Nothing else is counted (docs/speed.md).
#pragma once
#include <vector>

#include "detent/nn/layers.h"
#include "detent/optim/optimizer.h"
#include "detent/qat/attach.h"
#include "detent/train/config.h"
#include "detent/train/peaks.h"

namespace detent {

// Of one optimizer step. A product is a multiplication and its addition.
struct StepWork {
  double float_products = 0, integer_products = 0, bytes = 0;
};
// kernels: whether layers whose operands are both codes multiply codes, as they do on the CPU.
StepWork step_work(const DecoderConfig& model, const std::vector<nn::Slot>& slots, const QuantizedModel& quantized,
                   const std::vector<OptimizedParameter>& parameters, const TrainConfig& config, bool kernels);

// Measured in a fifth of a second: with the instructions of the products where that is the CPU (train/peaks.h), else by
// LibTorch's products; passes over about as much memory as the weights take, at most 64 MB.
Peaks peaks_for(const StepWork& work, const at::Device& device);

double least_seconds(const StepWork& work, const Peaks& peaks);

}  // namespace detent
