// What is in a file or folder of weights.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "detent/deploy/grid_detect.h"

namespace detent {

struct InspectRow {
  std::string name, dtype;  // Hugging Face's name where the file holds a model that detent knows
  std::vector<int64_t> shape;
  uint64_t bytes = 0;
  std::optional<DetectedGrid> grid;  // of matrices
};
struct InspectReport {
  std::string path, format;  // "gguf", "safetensors", or "checkpoint": latent weights, shown as they ship
  std::vector<InspectRow> tensors;
  std::vector<std::string> lossless_targets;  // export targets that hold all weights bit for bit
};

// A safetensors or GGUF file, a Hugging Face folder, a checkpoint, or a run (its newest checkpoint). With `tensor`,
// only that one, which must be there; targets are of all tensors then, too.
InspectReport inspect_path(const std::filesystem::path& path, const std::optional<std::string>& tensor = {});
nlohmann::json to_json(const InspectReport& report);
std::string to_text(const InspectReport& report);

}  // namespace detent
