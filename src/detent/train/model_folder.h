// Finding and opening models for training and evaluation.
#pragma once
#include <memory>
#include <string>

#include "detent/models/causal_lm.h"
#include "detent/qat/attach.h"
#include "detent/quant/shipped.h"

namespace detent {

// A model with the latent weights of a folder, unquantized; of a packed model (import/load.h) its values. Path as
// resolve_model gives it.
std::unique_ptr<CausalLm> load_latent_model(const std::string& folder);

// A model for inference from what ships: its weights are the values of the training forward, its inputs are quantized
// as they were. `quantized` keeps the input quantizers alive.
struct InferenceModel {
  std::unique_ptr<CausalLm> model;
  QuantizedModel quantized;
};
InferenceModel inference_model(const ShippedModel& shipped);

}  // namespace detent
