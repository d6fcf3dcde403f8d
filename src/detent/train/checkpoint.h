// A checkpoint is a Hugging Face folder (config.json, model.safetensors with the latent weights, tokenizer files) plus
// what detent needs to go on exactly: quantization.json / .safetensors, state.safetensors (moments) and state.json
// (step, cursor, method phases, checksums of every file). Written beside its name and renamed when complete.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "detent/data/loader.h"
#include "detent/data/tokenizer.h"
#include "detent/quant/shipped.h"
#include "detent/quant/tensor_file.h"

namespace detent {

struct TrainState {
  int64_t step = 0;  // steps done
  Cursor cursor;
  nlohmann::json methods;  // MethodSchedule's
  std::string config;      // resolved YAML
  double last_loss = 0;
  std::string device = "cpu";  // of the last steps
  std::string data;            // SHA-256 over the ids of the training and validation text
  int64_t tokens = 0;          // trained on so far, and the seconds that took, over all processes of the run
  double seconds = 0;
};

struct CheckpointContent {
  nlohmann::json model_config;
  std::string generation_config;  // text of generation_config.json; empty: none
  TensorMap weights, learned, moments;
  std::optional<QuantizationRecord> record;
  TrainState state;
};

// Writes run/checkpoints/step-NNNNNN, points `latest` at it and removes all but the newest `keep`.
void save_checkpoint(const std::filesystem::path& run, const CheckpointContent& content, const Tokenizer& tokenizer,
                     int64_t keep);
// Verifies checksums and version.
CheckpointContent load_checkpoint(const std::filesystem::path& folder);
// Copies stored values into live tensors; fails, naming the tensor, on a missing, superfluous or misshapen one.
void copy_into(const TensorMap& live, const TensorMap& stored, const std::string& what);

}  // namespace detent
