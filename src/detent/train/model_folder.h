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
// How weights of linear layers are held: as their values, or, where the model comes with codes of a uniform grid, as
// those, packed: about a sixth of the memory at 4 bits, and faster for few rows. The parameter of a packed one is a
// shape alone (ATen's meta device). Tensors that are not in memory are read one at a time.
enum class Weights { kValues, kPacked };
InferenceModel inference_model(const ShippedModel& shipped, Weights weights = Weights::kValues);

}  // namespace detent
