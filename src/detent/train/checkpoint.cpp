#include "detent/train/checkpoint.h"

#include <ATen/ATen.h>

#include <fstream>

#include "detent/base/error.h"
#include "detent/io/atomic_file.h"
#include "detent/quant/checkpoint_folder.h"

namespace detent {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int kStateVersion = 2;

json read_json_file(const fs::path& path) {
  std::ifstream in(path);
  if (!in) fail("cannot read {}: the checkpoint is incomplete", path.string());
  json value = json::parse(in, nullptr, false);
  if (value.is_discarded()) fail("{}: not valid JSON; the checkpoint is damaged", path.string());
  return value;
}

json to_json(const TrainState& state) {
  return {{"version", kStateVersion},
          {"step", state.step},
          {"cursor", {{"epoch", state.cursor.epoch}, {"position", state.cursor.position}}},
          {"methods", state.methods},
          {"config", state.config},
          {"last_loss", state.last_loss},
          {"device", state.device},
          {"data", state.data},
          {"tokens", state.tokens},
          {"seconds", state.seconds}};
}

TrainState state_from_json(const json& value, const fs::path& path) {
  try {
    TrainState state;
    state.step = value.at("step").get<int64_t>();
    state.cursor = {value.at("cursor").at("epoch").get<int64_t>(), value.at("cursor").at("position").get<int64_t>()};
    state.methods = value.at("methods");
    state.config = value.at("config").get<std::string>();
    state.last_loss = value.at("last_loss").is_number() ? value.at("last_loss").get<double>() : 0.0;
    state.device = value.value("device", state.device);
    state.data = value.at("data").get<std::string>();
    state.tokens = value.at("tokens").get<int64_t>();
    state.seconds = value.at("seconds").get<double>();
    return state;
  } catch (const json::exception& error) {
    fail("{}: malformed: {}", path.string(), error.what());
  }
}

void write_json(const fs::path& path, const json& value) { io::write_file_atomically(path, value.dump(2) + "\n"); }

}  // namespace

void save_checkpoint(const fs::path& run, const CheckpointContent& content, const Tokenizer& tokenizer, int64_t keep) {
  const fs::path folder = run / "checkpoints";
  fs::create_directories(folder);
  const std::string name = fmt::format("step-{:06}", content.state.step);
  io::AtomicDirectory directory(folder / name);
  const fs::path& to = directory.staging();
  write_json(to / "config.json", content.model_config);
  if (!content.generation_config.empty())
    io::write_file_atomically(to / "generation_config.json", content.generation_config);
  write_float_tensors(to / "model.safetensors", content.weights);
  tokenizer.save(to);
  if (content.record) write_json(to / "quantization.json", to_json(*content.record));
  if (!content.learned.empty()) write_float_tensors(to / "quantization.safetensors", content.learned);
  write_float_tensors(to / "state.safetensors", content.moments);
  write_state(to, to_json(content.state));
  directory.commit();
  io::write_file_atomically(folder / "latest", name + "\n");  // for people and scripts
  const std::vector<fs::path> all = complete_checkpoints(run);
  for (size_t i = 0; i + static_cast<size_t>(keep) < all.size(); ++i) io::remove_folder(all[i]);
}

CheckpointContent load_checkpoint(const fs::path& folder) {
  CheckpointContent content;
  content.state = state_from_json(read_state(folder, kStateVersion), folder / "state.json");
  content.model_config = read_json_file(folder / "config.json");
  content.weights = read_float_tensors(folder);
  content.moments = read_float_tensors(folder / "state.safetensors");
  if (fs::exists(folder / "quantization.json"))
    content.record = record_from_json(read_json_file(folder / "quantization.json"));
  if (fs::exists(folder / "quantization.safetensors"))
    content.learned = read_float_tensors(folder / "quantization.safetensors");
  return content;
}

void copy_into(const TensorMap& live, const TensorMap& stored, const std::string& what) {
  const at::NoGradGuard guard;
  for (const auto& [name, tensor] : live) {
    const auto found = stored.find(name);
    if (found == stored.end()) fail("{}: tensor '{}' is missing", what, name);
    if (found->second.sizes() != tensor.sizes()) {
      const auto shape = [](const at::Tensor& t) {
        return fmt::format("[{}]", fmt::join(t.sizes().begin(), t.sizes().end(), ", "));
      };
      fail("{}: tensor '{}' has shape {}, expected {}", what, name, shape(found->second), shape(tensor));
    }
    tensor.copy_(found->second);
  }
  for (const auto& [name, tensor] : stored)
    if (!live.contains(name)) fail("{}: tensor '{}' is not part of the model", what, name);
}

}  // namespace detent
