// A trained model as it ships: every tensor with the exact value of the training forward, and its codes where it is
// quantized. Built from a checkpoint folder (latent weights + quantization.json + quantization.safetensors).
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "detent/quant/quantizer.h"
#include "detent/quant/storage.h"

namespace detent {

// quantization.json of a checkpoint: which tensor lies on which grid, and what its layer's input is quantized to.
struct QuantizationRecord {
  struct Layer {
    std::optional<QuantSpec> weight, input;
  };
  Storage unquantized = Storage::kF32;
  std::string target;                   // what it was trained to be shipped as; empty: not said
  std::map<std::string, Layer> layers;  // by weight name, e.g. "model.layers.0.mlp.up_proj.weight"

  bool quantizes_weights() const;  // whether it knows the grid of any
};
nlohmann::json to_json(const QuantizationRecord& record);
QuantizationRecord record_from_json(const nlohmann::json& json);

struct ShippedTensor {
  at::Tensor value;                    // float32, bit-equal to what the training forward multiplied with
  std::optional<Quantized> quantized;  // codes and scales when on a grid
};
struct ShippedModel {
  nlohmann::json config;  // Hugging Face config.json, verbatim
  QuantizationRecord record;
  std::map<std::string, ShippedTensor> tensors;  // Hugging Face names
  std::map<std::string, at::Tensor> learned;     // learned scales, "<tensor>.scale" and "<tensor>.input_scale"
  std::string folder;                            // where it was read from (tokenizer files live there)
};
enum class Codes { kKept, kDropped };  // dropped where values are all that is wanted: a quarter less memory

// Reads a checkpoint folder, whose files must be those that were written (checkpoint_folder.h). A plain Hugging Face
// folder (no quantization.json) ships its float values as they are. Fails, naming the tensor, on a missing or
// superfluous tensor of the record or a non-finite weight.
ShippedModel load_shipped(const std::string& folder, Codes codes = Codes::kKept);
// The same for a folder whose files were checked already: checksums cost a pass over all of them.
ShippedModel read_shipped(const std::string& folder, Codes codes = Codes::kKept);
// Config, record and learned scales alone, without checksums.
ShippedModel read_shipped_record(const std::string& folder);

}  // namespace detent
