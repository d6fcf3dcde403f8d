// GGUF version 3, the model file of ggml and llama.cpp. The format: docs/gguf.md and src/gguf.cpp of ggml-org/ggml.
// The reader refuses what ggml's refuses, and duplicate names and bytes outside any tensor besides.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "detent/io/atomic_file.h"
#include "detent/io/ggml_types.h"
#include "detent/io/mapped_file.h"

namespace detent::io {

using GgufScalars = std::tuple<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool, std::string,
                               uint64_t, int64_t, double>;
// The place of a type among GgufScalars; of an array of one, behind them all.
template <class T, size_t kIndex = 0>
constexpr size_t gguf_index() {
  constexpr size_t kScalars = std::tuple_size_v<GgufScalars>;
  static_assert(kIndex < kScalars, "not a type of GGUF");
  using Scalar = std::tuple_element_t<kIndex, GgufScalars>;
  if constexpr (std::is_same_v<T, Scalar>) {
    return kIndex;
  } else if constexpr (std::is_same_v<T, std::vector<Scalar>>) {
    return kScalars + kIndex;
  } else {
    return gguf_index<T, kIndex + 1>();
  }
}

// The value of a key: one of twelve scalar types or a flat array of one. The file's type follows from the C++ type. It
// does not change, so that copies share it: a std::variant of 24 types costs the compiler seconds in every source.
class GgufValue {
 public:
  template <class T>
  GgufValue(T value) : index_(gguf_index<T>()), value_(std::make_shared<const T>(std::move(value))) {}
  size_t index() const { return index_; }
  // Null where it is of another type.
  template <class T>
  const T* get_if() const {
    return index_ == gguf_index<T>() ? static_cast<const T*>(value_.get()) : nullptr;
  }

 private:
  size_t index_;
  std::shared_ptr<const void> value_;
};
using GgufKeyValue = std::pair<std::string, GgufValue>;

std::string_view gguf_type_name(const GgufValue& value);  // "uint32", "array of string"

struct GgufTensor {
  std::string name;
  const GgmlType* type = nullptr;
  std::vector<int64_t> ne;           // ne[0] is the row length; a Hugging Face shape [out, in] is ne = {in, out}
  std::span<const std::byte> bytes;  // whole blocks
};

struct GgufContent {
  std::vector<GgufKeyValue> values;  // in the file's order
  std::vector<GgufTensor> tensors;   // in the file's order, which is that of their bytes
  uint64_t alignment = 32;
};

// Parses a whole file held in memory; tensors point into it, values are copied. source names it in errors. Fails (bad
// input) on any break of the format; memory stays below a small multiple of the file.
GgufContent parse_gguf(std::span<const std::byte> file, std::string_view source);

class GgufReader {
 public:
  explicit GgufReader(const std::filesystem::path& path);

  const std::vector<GgufKeyValue>& values() const { return content_.values; }
  const std::vector<GgufTensor>& tensors() const { return content_.tensors; }
  uint64_t alignment() const { return content_.alignment; }

  const GgufValue* find_value(std::string_view key) const;     // null when absent
  const GgufTensor* find_tensor(std::string_view name) const;  // null when absent
  const GgufTensor& tensor(std::string_view name) const;       // fails naming it
  // Lets go of the memory that reading part of a tensor took.
  void release(std::span<const std::byte> part) const { file_.release(part); }
  // The value of key; fails naming it when it is absent or of another type.
  template <class T>
  const T& get(std::string_view key) const {
    const GgufValue& value = existing(key);
    const T* typed = value.get_if<T>();
    if (!typed) fail_type(key, value, GgufValue(T{}));
    return *typed;
  }

 private:
  const GgufValue& existing(std::string_view key) const;
  [[noreturn]] void fail_type(std::string_view key, const GgufValue& got, const GgufValue& expected) const;

  MappedFile file_;
  GgufContent content_;
  std::unordered_map<std::string_view, size_t> values_by_key_, tensors_by_name_;
};

struct GgufTensorInfo {
  std::string name;  // 1..63 bytes
  const GgmlType* type = nullptr;
  std::vector<int64_t> ne;
};

// Writes a file through AtomicFile: the constructor takes all that the header needs, write() the tensors' bytes in the
// order given there, finish() puts the file in place. A value general.alignment (uint32) changes the alignment.
class GgufWriter {
 public:
  GgufWriter(const std::filesystem::path& path, const std::vector<GgufKeyValue>& values,
             std::vector<GgufTensorInfo> tensors);

  // All bytes of the next tensor, whose name must be name.
  void write(std::string_view name, std::span<const std::byte> bytes);
  // The next bytes, cut anywhere; padding between tensors is added here.
  void write(std::span<const std::byte> bytes);
  // Fails when bytes are missing.
  void finish();

 private:
  void pad();

  AtomicFile file_;
  std::vector<GgufTensorInfo> tensors_;
  std::vector<uint64_t> sizes_;  // bytes of each tensor
  uint64_t alignment_ = 32;
  size_t next_ = 0;        // the tensor being written
  uint64_t progress_ = 0;  // its bytes already written
};

}  // namespace detent::io
