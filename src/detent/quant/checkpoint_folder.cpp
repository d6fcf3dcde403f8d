#include "detent/quant/checkpoint_folder.h"

#include <algorithm>
#include <fstream>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/io/atomic_file.h"
#include "detent/io/bytes.h"
#include "detent/io/mapped_file.h"
#include "detent/io/sha256.h"

namespace detent {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char *kFiles = "sha256", *kSeal = "state_sha256", *kWayOut = "remove it to go on from the one before";

bool is_checkpoint_name(const std::string& name) {
  return name.starts_with("step-") && name.size() > 5 &&
         std::all_of(name.begin() + 5, name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// In parts: a whole file mapped would count as memory of this process.
std::string file_digest(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail("cannot read {}: the checkpoint is damaged, {}", path.string(), kWayOut);
  io::Sha256 digest;
  std::vector<char> part(1 << 20);
  while (in.read(part.data(), static_cast<std::streamsize>(part.size())) || in.gcount() > 0)
    digest.update(std::string_view(part.data(), static_cast<size_t>(in.gcount())));
  return io::to_hex(digest.finish());
}

// Over everything in state.json but itself.
std::string seal_of(json state) {
  state.erase(kSeal);
  return io::to_hex(io::sha256(io::as_bytes(state.dump())));
}

json parse_state(const fs::path& path) {
  if (!fs::exists(path)) fail("cannot read {}: the checkpoint is incomplete, {}", path.string(), kWayOut);
  try {
    return parse_json(io::as_text(io::MappedFile(path).bytes()), path.string());
  } catch (const Error& error) {
    fail("{}; the checkpoint is damaged, {}", error.what(), kWayOut);
  }
}

void check_listed(const json& state, const fs::path& folder) {
  for (const auto& [name, digest] : state.at(kFiles).items()) {
    const fs::path path = folder / fs::path(name).filename();
    if (!fs::exists(path)) fail("{} is missing; the checkpoint is incomplete, {}", path.string(), kWayOut);
    if (file_digest(path) != digest)
      fail("{}: its checksum is not the one written down; the checkpoint is damaged, {}", path.string(), kWayOut);
  }
}

}  // namespace

std::vector<fs::path> complete_checkpoints(const fs::path& run) {
  std::vector<fs::path> all;
  if (!fs::exists(run / "checkpoints")) return all;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints"))
    if (is_checkpoint_name(entry.path().filename()) && fs::exists(entry.path() / "state.json"))
      all.push_back(entry.path());
  const auto number = [](const fs::path& path) {  // without zeros in front, the longer is the larger
    const std::string name = path.filename().string();
    const std::string digits = name.substr(std::min(name.find_first_not_of('0', 5), name.size()));
    return std::pair(digits.size(), digits);
  };
  std::sort(all.begin(), all.end(), [&](const fs::path& a, const fs::path& b) { return number(a) < number(b); });
  return all;
}

std::optional<fs::path> newest_checkpoint(const fs::path& run) {
  const std::vector<fs::path> all = complete_checkpoints(run);
  if (all.empty()) return std::nullopt;
  return all.back();
}

void write_state(const fs::path& folder, json state) {
  state[kFiles] = json::object();
  for (const auto& entry : fs::directory_iterator(folder))
    state[kFiles][entry.path().filename()] = file_digest(entry.path());
  state[kSeal] = seal_of(state);
  io::write_file_atomically(folder / "state.json", state.dump(2) + "\n");
}

json read_state(const fs::path& folder, int version) {
  const fs::path path = folder / "state.json";
  const json state = parse_state(path);
  if (!state.is_object() || !state.contains("version") || !state.contains(kFiles) || !state[kFiles].is_object())
    fail("{}: not the state of a checkpoint; it is damaged, {}", path.string(), kWayOut);
  if (state["version"] != version)
    fail(
        "{}: written by another version of detent (state version {}, this program reads {}); go on with that one, or "
        "start anew from its weights with model.from",
        path.string(), state["version"].dump(), version);
  if (state.value(kSeal, json()) != seal_of(state))
    fail("{}: its checksum is not the one written down; the checkpoint is damaged, {}", path.string(), kWayOut);
  check_listed(state, folder);
  return state;
}

void check_files(const fs::path& folder) {
  if (!fs::exists(folder / "state.json")) return;
  const json state = parse_state(folder / "state.json");
  if (state.is_object() && state.contains(kFiles) && state[kFiles].is_object()) check_listed(state, folder);
}

}  // namespace detent
