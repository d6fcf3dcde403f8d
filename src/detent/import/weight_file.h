// A file of weights, whatever its format, under Hugging Face's names and in its row order.
#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "detent/architectures/decoder_config.h"
#include "detent/format/spec.h"
#include "detent/quant/shipped.h"

namespace detent {

struct StoredTensor {
  std::string name;         // Hugging Face's where the file holds a model that detent knows, else as in the file
  std::string stored_name;  // as in the file
  std::string type;         // as the file's format names it: "Q4_0", "F32"
  std::vector<int64_t> shape;
  uint64_t bytes = 0;
};

// Tensors are decoded one at a time, from the mapped file.
class WeightFile {
 public:
  virtual ~WeightFile() = default;
  virtual std::string format() const = 0;  // "gguf", "llama2.c", "compressed-tensors", "safetensors"
  virtual const std::vector<StoredTensor>& tensors() const = 0;  // in the file's order
  virtual bool can_decode(size_t index) const = 0;
  virtual at::Tensor decode(size_t index) const = 0;  // float32; fails on a type that cannot be
  // Whether rows can be decoded by themselves, and rows [first, first + count) of such a tensor.
  virtual bool has_rows(size_t) const { return false; }
  virtual at::Tensor decode_rows(size_t index, int64_t first, int64_t count) const;
  // The tensor as it stands in the file; nothing but in GGUF. Valid while this object lives.
  virtual std::optional<StoredBlocks> blocks(size_t) const { return std::nullopt; }
  // Its codes and scales, where products of the two are what decode() gives, bit for bit; nothing for other tensors.
  virtual std::optional<Quantized> codes(size_t) const { return std::nullopt; }
  // What the file says this weight's input is quantized to; nothing: it is used as it comes.
  virtual std::optional<QuantSpec> input(size_t) const { return std::nullopt; }
  // What the program that the format belongs to quantizes it to when it runs the file.
  virtual std::optional<QuantSpec> runtime_input(size_t index) const { return input(index); }
  // Hugging Face's config.json, rebuilt from metadata where the file has none; nothing beside a bare file. Fails on
  // metadata that detent cannot run.
  virtual std::optional<nlohmann::json> config() const = 0;
};

// A GGUF file, a checkpoint of llama2.c, a safetensors file or a folder with model.safetensors or its shards, packed by
// compressed-tensors or not. Fails on anything else.
std::unique_ptr<WeightFile> open_weight_file(const std::filesystem::path& path);

// The type as one of ours; nothing for others.
std::optional<Storage> storage_of(const StoredTensor& tensor);
// What table and head are stored as, so that they are stored so again; f32 where that is not one of ours.
Storage unpacked_storage(const WeightFile& file);
// Projections that lie unpacked beside packed ones: plain floats, and Q8_0 where table and head are stored so and
// others are packed tighter. None in a file that packs none.
std::map<std::string, Storage> plain_projections(const WeightFile& file);

// Where each tensor of a model of this config lies in the file, in the order of parameters(). Fails, naming source and
// tensor, on one that is missing, misshapen, of a type that cannot be decoded, or superfluous.
std::vector<std::pair<std::string, size_t>> find_parameters(const WeightFile& file, const DecoderConfig& config,
                                                            const std::string& source);

}  // namespace detent
