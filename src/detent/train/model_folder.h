// Finding and opening models for training and evaluation.
#pragma once
#include <memory>
#include <string>

#include "detent/models/causal_lm.h"
#include "detent/qat/attach.h"
#include "detent/quant/shipped.h"

namespace detent {

// The folder that holds the weights: a run directory stands for its newest checkpoint. Fails when there is none.
std::string model_folder(const std::string& path);
// A model with the latent weights of a folder, unquantized.
std::unique_ptr<CausalLm> load_latent_model(const std::string& folder);

// A model for inference from what ships: its weights are the values of the training forward, its inputs are quantized
// as they were. `quantized` keeps the input quantizers alive.
struct InferenceModel {
  std::unique_ptr<CausalLm> model;
  QuantizedModel quantized;
};
InferenceModel inference_model(const ShippedModel& shipped);

}  // namespace detent
