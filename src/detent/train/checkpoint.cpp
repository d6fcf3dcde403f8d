#include "detent/train/checkpoint.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <fstream>

#include "detent/base/error.h"
#include "detent/io/atomic_file.h"
#include "detent/io/mapped_file.h"
#include "detent/io/sha256.h"

namespace detent {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int kStateVersion = 1;

std::string checkpoint_name(int64_t step) { return fmt::format("step-{:06}", step); }

std::string file_digest(const fs::path& path) {
  const io::MappedFile file(path);
  return io::to_hex(io::sha256(file.bytes()));
}

json read_json_file(const fs::path& path) {
  std::ifstream in(path);
  if (!in) fail("cannot read {}: the checkpoint is incomplete", path.string());
  json value = json::parse(in, nullptr, false);
  if (value.is_discarded()) fail("{}: not valid JSON; the checkpoint is damaged", path.string());
  return value;
}

json state_json(const TrainState& state, const fs::path& folder) {
  json files = json::object();
  for (const auto& entry : fs::directory_iterator(folder)) files[entry.path().filename()] = file_digest(entry.path());
  return {{"version", kStateVersion},
          {"step", state.step},
          {"cursor", {{"epoch", state.cursor.epoch}, {"position", state.cursor.position}}},
          {"methods", state.methods},
          {"config", state.config},
          {"last_loss", state.last_loss},
          {"sha256", files}};
}

TrainState state_from_json(const json& value, const fs::path& path) {
  try {
    if (value.at("version").get<int>() != kStateVersion)
      fail(
          "{}: written by another version of detent (state version {}, this program reads {}); go on with that one, or "
          "start anew from its weights with model.from",
          path.string(), value.at("version").dump(), kStateVersion);
    TrainState state;
    state.step = value.at("step").get<int64_t>();
    state.cursor = {value.at("cursor").at("epoch").get<int64_t>(), value.at("cursor").at("position").get<int64_t>()};
    state.methods = value.at("methods");
    state.config = value.at("config").get<std::string>();
    state.last_loss = value.at("last_loss").is_number() ? value.at("last_loss").get<double>() : 0.0;
    return state;
  } catch (const json::exception& error) {
    fail("{}: malformed: {}", path.string(), error.what());
  }
}

void check_digests(const json& state, const fs::path& folder) {
  for (const auto& [name, digest] : state.at("sha256").items()) {
    const fs::path path = folder / fs::path(name).filename();
    if (!fs::exists(path))
      fail("{} is missing; the checkpoint is incomplete, remove it to go on from the one before", path.string());
    if (file_digest(path) != digest)
      fail(
          "{}: its checksum is not the one written down; the checkpoint is damaged, remove it to go on from the one "
          "before",
          path.string());
  }
}

void write_json(const fs::path& path, const json& value) { io::write_file_atomically(path, value.dump(2) + "\n"); }

// Complete checkpoints, oldest first. A folder under another name is not ours.
std::vector<fs::path> complete_checkpoints(const fs::path& folder) {
  std::vector<fs::path> all;
  if (!fs::exists(folder)) return all;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    const bool digits =
        name.size() > 5 && std::all_of(name.begin() + 5, name.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (name.starts_with("step-") && digits && fs::exists(entry.path() / "state.json")) all.push_back(entry.path());
  }
  std::sort(all.begin(), all.end(), [](const fs::path& a, const fs::path& b) {
    return std::stoll(a.filename().string().substr(5)) < std::stoll(b.filename().string().substr(5));
  });
  return all;
}

}  // namespace

void save_checkpoint(const fs::path& run, const CheckpointContent& content, const Tokenizer& tokenizer, int64_t keep) {
  const fs::path folder = run / "checkpoints";
  fs::create_directories(folder);
  const std::string name = checkpoint_name(content.state.step);
  io::AtomicDirectory directory(folder / name);
  const fs::path& to = directory.staging();
  write_json(to / "config.json", content.model_config);
  write_float_tensors(to / "model.safetensors", content.weights);
  tokenizer.save(to);
  if (content.record) write_json(to / "quantization.json", to_json(*content.record));
  if (!content.learned.empty()) write_float_tensors(to / "quantization.safetensors", content.learned);
  write_float_tensors(to / "state.safetensors", content.moments);
  write_json(to / "state.json", state_json(content.state, to));
  directory.commit();
  io::write_file_atomically(folder / "latest", name + "\n");
  const std::vector<fs::path> all = complete_checkpoints(folder);
  for (size_t i = 0; i + static_cast<size_t>(keep) < all.size(); ++i) fs::remove_all(all[i]);
}

std::optional<fs::path> latest_checkpoint(const fs::path& run) {
  const std::vector<fs::path> all = complete_checkpoints(run / "checkpoints");
  if (all.empty()) return std::nullopt;
  return all.back();
}

CheckpointContent load_checkpoint(const fs::path& folder) {
  const json state = read_json_file(folder / "state.json");
  CheckpointContent content;
  content.state = state_from_json(state, folder / "state.json");
  check_digests(state, folder);
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
