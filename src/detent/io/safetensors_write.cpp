#include <algorithm>
#include <tuple>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/io/bytes.h"
#include "detent/io/safetensors.h"

namespace detent::io {
namespace {

namespace fs = std::filesystem;

std::string json_string(std::string_view text, const fs::path& path) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    fail("cannot write {}: {} is not UTF-8", path.string(), in_quotes(text));
  }
}

std::string entry_text(const TensorInfo& tensor, uint64_t begin, uint64_t end, const fs::path& path) {
  return fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", json_string(tensor.name, path),
                     dtype_name(tensor.dtype), fmt::join(tensor.shape, ","), begin, end);
}

std::string metadata_text(const SafetensorsMetadata& metadata, const fs::path& path) {
  std::vector<std::string> pairs;
  for (const auto& [key, value] : metadata) pairs.push_back(json_string(key, path) + ":" + json_string(value, path));
  return fmt::format(R"("__metadata__":{{{}}})", fmt::join(pairs, ","));
}

void sort_as_written(std::vector<TensorInfo>& tensors, const fs::path& path) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(b.dtype, a.name) < std::tie(a.dtype, b.name);
  });
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const TensorInfo& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) fail("cannot write {}: tensor {} is given twice", path.string(), in_quotes(*twice));
  if (std::binary_search(names.begin(), names.end(), "__metadata__")) {
    fail("cannot write {}: a tensor cannot be named __metadata__", path.string());
  }
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const fs::path& path, std::vector<TensorInfo> tensors,
                                     const SafetensorsMetadata& metadata)
    : file_(path), tensors_(std::move(tensors)) {
  sort_as_written(tensors_, path);
  std::vector<std::string> entries;
  if (!metadata.empty()) entries.push_back(metadata_text(metadata, path));
  uint64_t position = 0;
  for (const TensorInfo& tensor : tensors_) {
    const auto bytes = tensor_bytes(tensor.dtype, tensor.shape);
    const auto end = bytes ? checked_add(position, *bytes) : std::nullopt;
    if (!end) fail("cannot write {}: the size of tensor {} is not possible", path.string(), in_quotes(tensor.name));
    entries.push_back(entry_text(tensor, position, *end, path));
    ends_.push_back(position = *end);
  }
  std::string header = fmt::format("{{{}}}", fmt::join(entries, ","));
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string length;
  append<uint64_t>(length, header.size());
  file_.write(length);
  file_.write(header);
  for (uint64_t& end : ends_) end += file_.size();
}

void SafetensorsWriter::write(std::span<const std::byte> bytes) {
  if (bytes.size() > (ends_.empty() ? file_.size() : ends_.back()) - file_.size()) {
    fail("cannot write {}: more bytes than its tensors have", file_.path().string());
  }
  file_.write(bytes);
}

uint64_t SafetensorsWriter::left_of(std::string_view name) {
  // Tensors that are complete are behind us; one without elements waits until its name is called or passed over.
  while (next_ < ends_.size() && ends_[next_] <= file_.size() && tensors_[next_].name != name) ++next_;
  if (next_ == ends_.size() || tensors_[next_].name != name) {
    fail("cannot write {}: got tensor {}, expected {}", file_.path().string(), in_quotes(name),
         next_ == ends_.size() ? "the end" : in_quotes(tensors_[next_].name));
  }
  return ends_[next_] - std::min(ends_[next_], file_.size());
}

void SafetensorsWriter::write(std::string_view name, std::span<const std::byte> bytes) {
  const uint64_t expected = left_of(name);
  if (bytes.size() != expected) {
    fail("cannot write {}: got {} bytes for tensor {}, expected {}", file_.path().string(), bytes.size(),
         in_quotes(name), expected);
  }
  write(bytes);
  ++next_;
}

void SafetensorsWriter::write_part(std::string_view name, std::span<const std::byte> bytes) {
  const uint64_t left = left_of(name);
  if (bytes.size() > left) {
    fail("cannot write {}: got {} more bytes for tensor {}, expected {}", file_.path().string(), bytes.size(),
         in_quotes(name), left);
  }
  write(bytes);
}

void SafetensorsWriter::finish() {
  const auto missing = std::upper_bound(ends_.begin(), ends_.end(), file_.size());
  if (missing != ends_.end()) {
    fail("cannot write {}: the bytes of tensor {} are missing", file_.path().string(),
         in_quotes(tensors_[static_cast<size_t>(missing - ends_.begin())].name));
  }
  file_.commit();
}

void write_safetensors(const fs::path& path, std::span<const TensorView> tensors, const SafetensorsMetadata& metadata) {
  std::vector<TensorInfo> infos;
  std::map<std::string_view, std::span<const std::byte>> bytes;
  for (const TensorView& tensor : tensors) {
    infos.push_back({tensor.name, tensor.dtype, tensor.shape});
    bytes.emplace(tensor.name, tensor.bytes);
  }
  SafetensorsWriter writer(path, std::move(infos), metadata);
  for (const TensorInfo& tensor : writer.tensors()) writer.write(tensor.name, bytes.at(tensor.name));
  writer.finish();
}

}  // namespace detent::io
