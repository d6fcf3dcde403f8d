// Proof that a file holds the trained values: it is read again, with detent's own reader, and compared bit for bit.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "detent/quant/shipped.h"

namespace detent {

struct VerifyRow {
  std::string name;   // Hugging Face's
  std::string type;   // in the file; "missing" when it is not there
  int64_t differing;  // elements; all of them when the shape differs, or one side has no such tensor
  bool equal() const { return differing == 0; }
};
struct VerifyReport {
  std::string path;
  std::vector<VerifyRow> tensors;               // in name order
  std::vector<std::string> missing;             // tensors of the model that the file lacks
  std::vector<std::string> unexpected;          // tensors of the file that the model lacks
  std::vector<std::string> config_differences;  // "rope_theta: file 10000.0, model 500000.0"
  std::string sha256;  // over the file's values as float32, in name order: equal in all formats
  bool equal() const;
};

// A GGUF file, a safetensors file or a Hugging Face folder against the model it should hold. Fails when the file cannot
// be read, or is a checkpoint (which holds latent weights).
VerifyReport verify_file(const std::filesystem::path& path, const ShippedModel& model);
nlohmann::json to_json(const VerifyReport& report);
std::string to_text(const VerifyReport& report);

}  // namespace detent
