// Hangs quantizers on a model's hooks as a `quant` block says, and keeps hold of them.
#pragma once
#include <memory>
#include <vector>

#include "detent/nn/layers.h"
#include "detent/qat/options.h"
#include "detent/qat/quantizer_rule.h"
#include "detent/quant/shipped.h"

namespace detent {

struct QuantizedLayer {
  nn::Slot slot;
  std::shared_ptr<TensorQuantizer> weight, input;  // either may be null
};

struct QuantizedModel {
  std::shared_ptr<Phase> phase = std::make_shared<Phase>();
  std::vector<QuantizedLayer> layers;
  QuantizationRecord record;

  // Learned scales by checkpoint name: "<weight>.scale", "<weight>.input_scale".
  std::vector<std::pair<std::string, TensorQuantizer*>> learned() const;
};

// Fails on specs that do not fit the layers' shapes or on entries that match nothing. Learned weight scales start from
// the weights as they are.
QuantizedModel attach(const QuantOptions& options, const std::vector<nn::Slot>& slots);
// The same from a checkpoint's record, for evaluation and generation: forwards only.
QuantizedModel attach(const QuantizationRecord& record, const std::map<std::string, at::Tensor>& learned,
                      const std::vector<nn::Slot>& slots);

}  // namespace detent
