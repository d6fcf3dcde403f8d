// safetensors, the weight format of Hugging Face: u64 header length, a JSON header, the tensors' bytes.
// The format: README of huggingface/safetensors. The reader refuses whatever the official library refuses, and
// duplicate names, which that one lets pass.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "detent/io/atomic_file.h"
#include "detent/io/dtype.h"
#include "detent/io/mapped_file.h"

namespace detent::io {

// A tensor inside a mapped file, row-major, little-endian. bytes may start at any address: copy before use as floats.
struct TensorView {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

struct SafetensorsContent {
  std::vector<TensorView> tensors;              // in the order of their bytes in the file
  std::map<std::string, std::string> metadata;  // "__metadata__"
};

// Parses a whole file held in memory; the views point into it. source names it in errors. Fails (bad input) on any
// break of the format, without allocating more than a small multiple of the header.
SafetensorsContent parse_safetensors(std::span<const std::byte> file, std::string_view source);

// One .safetensors file, or a folder with model.safetensors, or one with model.safetensors.index.json and its shards.
// Views stay valid while the object lives, moved or not. A folder that has only PyTorch's pickles is refused with the
// way to convert it.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& path);

  const std::vector<TensorView>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }  // of the first file
  const TensorView* find(std::string_view name) const;                              // null when absent
  const TensorView& at(std::string_view name) const;                                // fails naming tensor and file
  void release(std::span<const std::byte> part) const;  // lets go of the memory that reading part of a tensor took
  const std::filesystem::path& path() const { return path_; }

 private:
  void add_file(const std::filesystem::path& file);
  void add_shards(const std::filesystem::path& index);

  std::filesystem::path path_;
  std::vector<MappedFile> files_;
  std::vector<TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
  std::unordered_map<std::string, size_t> by_name_;
};

struct TensorInfo {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

// Writes a file through AtomicFile: the constructor takes what will come, tensors() tells the order in which the file
// holds it, write() takes the bytes in that order and finish() puts the file in place.
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorInfo> tensors,
                    const SafetensorsMetadata& metadata = {{"format", "pt"}});

  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  // All bytes of the next tensor, whose name must be name.
  void write(std::string_view name, std::span<const std::byte> bytes);
  // The next bytes of the tensor whose turn it is, cut anywhere; its name must be name.
  void write_part(std::string_view name, std::span<const std::byte> bytes);
  // The next bytes of the stream, cut anywhere.
  void write(std::span<const std::byte> bytes);
  // Fails when bytes are missing.
  void finish();

 private:
  uint64_t left_of(std::string_view name);  // bytes that it still takes; moves on to it

  AtomicFile file_;
  std::vector<TensorInfo> tensors_;
  std::vector<uint64_t> ends_;  // byte offset in the file after each tensor
  size_t next_ = 0;             // no tensor before it takes another byte
};

// The whole of it for tensors that are in memory, in any order.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors,
                       const SafetensorsMetadata& metadata = {{"format", "pt"}});

}  // namespace detent::io
