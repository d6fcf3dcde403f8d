#include <set>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/io/bytes.h"
#include "detent/io/safetensors.h"

namespace detent::io {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMaxIndexBytes = uint64_t{4} << 20;  // some 40,000 tensors

[[noreturn]] void fail_without_weights(const fs::path& folder) {
  for (const char* name : {"pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"}) {
    if (fs::exists(folder / name)) {
      fail(
          "{}: {} is a pickle, which runs code when it is opened; convert it to safetensors first, in transformers "
          "with "
          "model.save_pretrained(FOLDER)",
          folder.string(), name);
    }
  }
  fail("{} holds neither model.safetensors nor model.safetensors.index.json", folder.string());
}

}  // namespace

SafetensorsReader::SafetensorsReader(const fs::path& path) : path_(path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    add_file(path);
  } else if (fs::exists(path / "model.safetensors", error)) {
    add_file(path / "model.safetensors");
  } else if (fs::exists(path / "model.safetensors.index.json", error)) {
    add_shards(path / "model.safetensors.index.json");
  } else {
    fail_without_weights(path);
  }
}

void SafetensorsReader::add_file(const fs::path& file) {
  files_.emplace_back(file);
  SafetensorsContent content = parse_safetensors(files_.back().bytes(), file.string());
  if (files_.size() == 1) metadata_ = std::move(content.metadata);
  for (TensorView& tensor : content.tensors) {
    if (!by_name_.emplace(tensor.name, tensors_.size()).second) {
      fail("{}: tensor {} is in another shard too", file.string(), in_quotes(tensor.name));
    }
    tensors_.push_back(std::move(tensor));
  }
}

namespace {

// weight_map of an index file: tensor name -> file name inside the folder.
std::map<std::string, std::string> read_weight_map(const fs::path& index) {
  const MappedFile file(index);
  if (file.bytes().size() > kMaxIndexBytes) {
    fail("{}: {} bytes are too many for an index, at most {} are read", index.string(), file.bytes().size(),
         kMaxIndexBytes);
  }
  const nlohmann::json root = parse_json(as_text(file.bytes()), index.string());
  if (!root.is_object() || !root.contains("weight_map") || !root["weight_map"].is_object()) {
    fail("{}: no object named weight_map", index.string());
  }
  std::map<std::string, std::string> map;
  for (const auto& [name, value] : root["weight_map"].items()) {
    if (!value.is_string()) fail("{}: the shard of tensor {} is not a string", index.string(), in_quotes(name));
    const auto& shard = value.get_ref<const std::string&>();
    // A shard lies beside its index: a path that leads elsewhere is a mistake or an attack.
    if (shard.empty() || shard == "." || shard == ".." ||
        shard.find_first_of(std::string_view("/\0", 2)) != shard.npos) {
      fail("{}: tensor {} lies in {}, which is no plain file name", index.string(), in_quotes(name), in_quotes(shard));
    }
    map.emplace(name, shard);
  }
  return map;
}

}  // namespace

void SafetensorsReader::add_shards(const fs::path& index) {
  const auto weight_map = read_weight_map(index);
  std::map<std::string, size_t> shards;
  for (const auto& [name, shard] : weight_map) shards.emplace(shard, 0);
  for (auto& [shard, first] : shards) {
    if (!fs::exists(index.parent_path() / shard)) fail("{}: shard {} is missing", index.string(), in_quotes(shard));
    first = tensors_.size();
    add_file(index.parent_path() / shard);
    for (size_t i = first; i < tensors_.size(); ++i) {
      const auto entry = weight_map.find(tensors_[i].name);
      if (entry == weight_map.end() || entry->second != shard) {
        fail("{}: tensor {} of shard {} is not listed there", index.string(), in_quotes(tensors_[i].name),
             in_quotes(shard));
      }
    }
  }
  for (const auto& [name, shard] : weight_map) {
    if (!find(name)) fail("{}: tensor {} is missing from shard {}", index.string(), in_quotes(name), in_quotes(shard));
  }
}

const TensorView* SafetensorsReader::find(std::string_view name) const {
  const auto entry = by_name_.find(std::string(name));
  return entry == by_name_.end() ? nullptr : &tensors_[entry->second];
}

void SafetensorsReader::release(std::span<const std::byte> part) const {
  for (const MappedFile& file : files_) {
    const std::span<const std::byte> all = file.bytes();
    if (part.data() >= all.data() && part.data() + part.size() <= all.data() + all.size()) file.release(part);
  }
}

const TensorView& SafetensorsReader::at(std::string_view name) const {
  const TensorView* tensor = find(name);
  if (!tensor) fail("{} has no tensor {}", path_.string(), in_quotes(name));
  return *tensor;
}

}  // namespace detent::io
