// A trained model as it ships: every tensor with the exact value of the training forward, and its codes where it is
// quantized. Built from a checkpoint folder (latent weights + quantization.json + quantization.safetensors).
#pragma once
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

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

// A tensor as its file packs it, in the file's order of rows.
struct StoredBlocks {
  std::string_view type;             // "Q3_K"
  std::span<const std::byte> bytes;  // inside the file, which the model keeps open
};

struct ShippedTensor {
  at::Tensor value;  // float32, bit-equal to what the training forward multiplied with; a shape alone (ATen's meta
                     // device) until it is read
  std::optional<Quantized> quantized = {};  // codes and scales when on a grid
  std::optional<StoredBlocks> blocks = {};  // when it was read from a GGUF file
};
struct ShippedModel {
  nlohmann::json config;  // Hugging Face config.json, verbatim
  QuantizationRecord record;
  std::map<std::string, ShippedTensor> tensors;  // Hugging Face names
  // Projections that the file it was read from stores so beside packed ones: they stay so wherever it is written.
  std::map<std::string, Storage> plain;
  std::map<std::string, at::Tensor> learned;  // learned scales, "<tensor>.scale" and "<tensor>.input_scale"
  std::string folder;                         // where it was read from (tokenizer files live there)
  // Makes a tensor that is not in memory. Fails, naming it, on a weight that is not finite.
  std::function<ShippedTensor(const std::string& name)> read;
  // Codes and scales of a packed file's tensor, where their products are its values; else nothing. Null but for those.
  std::function<std::optional<Quantized>(const std::string& name)> read_codes;
  // Makes rows [first, first + count) of one; null where the source has whole tensors only.
  std::function<ShippedTensor(const std::string& name, int64_t first, int64_t count)> read_rows;

  // The tensor of this name, which must be one: as it is held, else read. Who asks for one after the other needs the
  // memory of one.
  ShippedTensor tensor(const std::string& name) const;
  // How many rows are best made at a time: some megabytes; all, where rows share a scale or nothing is to be read.
  int64_t part_rows(const std::string& name) const;
  // So many of the tensor's rows, or all. Who asks for part after part needs the memory of a part.
  ShippedTensor rows(const std::string& name, int64_t first, int64_t count) const;
  void hold_all();  // reads all that are not in memory
};
// A tensor that is still to be read.
ShippedTensor unread(at::IntArrayRef shape);

enum class Codes { kKept, kDropped };  // dropped where values are all that is wanted: a quarter less memory

// A checkpoint folder whose files are those that were written (check_files). A plain Hugging Face folder (no
// quantization.json) ships its float values as they are. No tensor is read yet. Fails, naming the tensor, on a missing
// or superfluous tensor of the record.
ShippedModel open_shipped(const std::string& folder, Codes codes = Codes::kKept);
// The same with checksums compared and every tensor in memory.
ShippedModel load_shipped(const std::string& folder, Codes codes = Codes::kKept);
// Config, record and learned scales alone, without checksums.
ShippedModel read_shipped_record(const std::string& folder);

}  // namespace detent
