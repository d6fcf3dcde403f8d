#include <unordered_set>

#include "detent/io/bytes.h"
#include "detent/io/gguf.h"
#include "detent/io/gguf_format.h"

namespace detent::io {
namespace {

constexpr uint64_t kMinValueBytes = 8 + 4 + 1;            // key length, type, the smallest value
constexpr uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;       // name length, n_dims, type, offset
constexpr uint32_t kSwappedVersion = kGgufVersion << 24;  // as a big-endian file shows it

class Parser {
 public:
  Parser(std::span<const std::byte> file, std::string_view source) : file_(file), source_(source) {}
  GgufContent parse();

 private:
  struct Placed {
    uint64_t offset, bytes;
  };

  uint64_t left() const { return file_.size() - position_; }
  std::span<const std::byte> take(uint64_t bytes, std::string_view what);
  template <class T>
  T number(std::string_view what) {
    return load<T>(take(sizeof(T), what));
  }
  std::string_view text(std::string_view what);
  uint64_t count(std::string_view what, uint64_t min_bytes);
  std::string name(std::string_view what, size_t max_bytes);

  template <class T>
  T scalar(const std::string& key);
  template <class T>
  std::vector<T> array(const std::string& key);
  GgufValue value(const std::string& key);
  template <size_t... I>
  GgufValue value_of(uint32_t type, bool is_array, const std::string& key, std::index_sequence<I...>);
  void read_values(GgufContent& content, uint64_t values);
  void read_tensors(GgufContent& content, uint64_t tensors);
  void place_tensors(GgufContent& content);

  std::span<const std::byte> file_;
  std::string_view source_;
  uint64_t position_ = 0;
  std::vector<Placed> placed_;
};

std::span<const std::byte> Parser::take(uint64_t bytes, std::string_view what) {
  if (bytes > left()) {
    fail("{}: {} needs {} bytes at offset {}, the file has {} left; it is cut short or damaged", source_, what, bytes,
         position_, left());
  }
  const auto taken = file_.subspan(position_, bytes);
  position_ += bytes;
  return taken;
}

std::string_view Parser::text(std::string_view what) { return as_text(take(number<uint64_t>(what), what)); }

// A count of things that each take at least min_bytes, so that no loop or allocation outruns the file.
uint64_t Parser::count(std::string_view what, uint64_t min_bytes) {
  const auto value = number<uint64_t>(what);
  if (value > file_.size() / min_bytes) fail("{}: {} is {}, more than the file can hold", source_, what, value);
  return value;
}

std::string Parser::name(std::string_view what, size_t max_bytes) {
  const std::string_view found = text(what);
  if (found.empty()) fail("{}: a {} is empty", source_, what);
  if (found.size() > max_bytes) fail("{}: {} {} is longer than {} bytes", source_, what, in_quotes(found), max_bytes);
  if (found.find('\0') != found.npos) fail("{}: {} {} holds a NUL byte", source_, what, in_quotes(found));
  return std::string(found);
}

template <class T>
T Parser::scalar(const std::string& key) {
  if constexpr (std::is_same_v<T, std::string>) {
    return std::string(text("the value of " + in_quotes(key)));
  } else if constexpr (std::is_same_v<T, bool>) {
    const auto byte = number<uint8_t>("a boolean");
    if (byte > 1) fail("{}: key {} has the boolean {}, expected 0 or 1", source_, in_quotes(key), byte);
    return byte == 1;
  } else {
    return number<T>("a number");
  }
}

template <class T>
std::vector<T> Parser::array(const std::string& key) {
  constexpr uint64_t kMinBytes = std::is_same_v<T, std::string> ? 8 : sizeof(T);
  const auto size = number<uint64_t>("an array length");
  if (size > left() / kMinBytes) {
    fail("{}: the array {} claims {} elements, more than the file can hold", source_, in_quotes(key), size);
  }
  std::vector<T> values;
  values.reserve(size);
  for (uint64_t i = 0; i < size; ++i) values.push_back(scalar<T>(key));
  return values;
}

template <size_t... I>
GgufValue Parser::value_of(uint32_t type, bool is_array, const std::string& key, std::index_sequence<I...>) {
  GgufValue value = false;
  const auto try_type = [&]<size_t kIndex>() {
    using Scalar = std::tuple_element_t<kIndex, GgufScalars>;
    if (kGgufTypeIds[kIndex] != type) return false;
    if (is_array) {
      value = array<Scalar>(key);
    } else {
      value = scalar<Scalar>(key);
    }
    return true;
  };
  if (!(try_type.template operator()<I>() || ...)) {
    fail("{}: key {} has the unknown type {}", source_, in_quotes(key), type);
  }
  return value;
}

GgufValue Parser::value(const std::string& key) {
  auto type = number<uint32_t>("a value type");
  const bool is_array = type == kGgufArray;
  if (is_array) type = number<uint32_t>("an array type");
  if (is_array && type == kGgufArray) fail("{}: key {} is an array of arrays", source_, in_quotes(key));
  return value_of(type, is_array, key, std::make_index_sequence<kGgufScalars>());
}

void Parser::read_values(GgufContent& content, uint64_t values) {
  std::unordered_set<std::string> keys;
  for (uint64_t i = 0; i < values; ++i) {
    std::string key = name("key", kGgufMaxKey);
    if (!keys.insert(key).second) fail("{}: key {} appears twice", source_, in_quotes(key));
    GgufValue read = value(key);
    content.values.emplace_back(std::move(key), std::move(read));
  }
}

void Parser::read_tensors(GgufContent& content, uint64_t tensors) {
  std::unordered_set<std::string> names;
  for (uint64_t i = 0; i < tensors; ++i) {
    GgufTensor tensor{name("tensor name", kGgufMaxName), nullptr, {}, {}};
    const std::string quoted_name = in_quotes(tensor.name);
    if (!names.insert(tensor.name).second) fail("{}: tensor {} appears twice", source_, quoted_name);
    const auto dims = number<uint32_t>("a number of dimensions");
    if (dims > kGgufMaxDims) fail("{}: tensor {} has {} dimensions, over the limit of 4", source_, quoted_name, dims);
    for (uint32_t d = 0; d < dims; ++d) tensor.ne.push_back(number<int64_t>("a dimension"));
    const auto type = number<int32_t>("a tensor type");
    tensor.type = find_ggml_type(type);
    if (!tensor.type) fail("{}: tensor {} has the unknown type {}", source_, quoted_name, type);
    const auto offset = number<uint64_t>("a tensor offset");
    placed_.push_back({offset, checked_gguf_bytes(tensor.name, *tensor.type, tensor.ne, source_)});
    content.tensors.push_back(std::move(tensor));
  }
}

// Tensors follow one another, each padded; ggml accepts no other offsets.
void Parser::place_tensors(GgufContent& content) {
  const uint64_t start = checked_align(position_, content.alignment).value();
  // Files without tensors (vocabularies) end with the header, padded or not.
  if (content.tensors.empty() && file_.size() <= start) return;
  take(start - position_, "padding after the header");
  for (size_t i = 0; i < placed_.size(); ++i) {
    GgufTensor& tensor = content.tensors[i];
    if (placed_[i].offset != position_ - start) {
      fail("{}: tensor {} is at offset {} of the data, expected {}", source_, in_quotes(tensor.name), placed_[i].offset,
           position_ - start);
    }
    tensor.bytes = take(placed_[i].bytes, "tensor " + in_quotes(tensor.name));
    take(checked_align(position_ - start, content.alignment).value() - (position_ - start), "padding after a tensor");
  }
  if (left() > 0) fail("{}: {} bytes after the last tensor", source_, left());
}

GgufContent Parser::parse() {
  if (as_text(take(4, "the magic number")) != kGgufMagic) fail("{}: not a GGUF file", source_);
  const auto version = number<uint32_t>("the version");
  if (version == kSwappedVersion) fail("{}: a big-endian GGUF file; convert it to little-endian first", source_);
  if (version != kGgufVersion) {
    fail("{}: GGUF version {}, only {} is supported; convert it with a current llama.cpp", source_, version,
         kGgufVersion);
  }
  GgufContent content;
  const uint64_t tensors = count("the number of tensors", kMinTensorBytes);
  const uint64_t values = count("the number of keys", kMinValueBytes);
  read_values(content, values);
  content.alignment = gguf_alignment(content.values, source_);
  read_tensors(content, tensors);
  place_tensors(content);
  return content;
}

}  // namespace

GgufContent parse_gguf(std::span<const std::byte> file, std::string_view source) {
  return Parser(file, source).parse();
}

GgufReader::GgufReader(const std::filesystem::path& path)
    : file_(path), content_(parse_gguf(file_.bytes(), path.string())) {
  for (size_t i = 0; i < content_.values.size(); ++i) values_by_key_.emplace(content_.values[i].first, i);
  for (size_t i = 0; i < content_.tensors.size(); ++i) tensors_by_name_.emplace(content_.tensors[i].name, i);
}

const GgufValue* GgufReader::find_value(std::string_view key) const {
  const auto found = values_by_key_.find(key);
  return found == values_by_key_.end() ? nullptr : &content_.values[found->second].second;
}

const GgufTensor* GgufReader::find_tensor(std::string_view name) const {
  const auto found = tensors_by_name_.find(name);
  return found == tensors_by_name_.end() ? nullptr : &content_.tensors[found->second];
}

const GgufTensor& GgufReader::tensor(std::string_view name) const {
  const GgufTensor* found = find_tensor(name);
  if (!found) fail("{} has no tensor {}", file_.path().string(), in_quotes(name));
  return *found;
}

const GgufValue& GgufReader::existing(std::string_view key) const {
  const GgufValue* found = find_value(key);
  if (!found) fail("{} has no key {}", file_.path().string(), in_quotes(key));
  return *found;
}

void GgufReader::fail_type(std::string_view key, const GgufValue& got, const GgufValue& expected) const {
  fail("{}: key {} is {}, expected {}", file_.path().string(), in_quotes(key), gguf_type_name(got),
       gguf_type_name(expected));
}

std::string_view gguf_type_name(const GgufValue& value) {
  static constexpr std::string_view kNames[] = {"uint8",
                                                "int8",
                                                "uint16",
                                                "int16",
                                                "uint32",
                                                "int32",
                                                "float32",
                                                "bool",
                                                "string",
                                                "uint64",
                                                "int64",
                                                "float64",
                                                "array of uint8",
                                                "array of int8",
                                                "array of uint16",
                                                "array of int16",
                                                "array of uint32",
                                                "array of int32",
                                                "array of float32",
                                                "array of bool",
                                                "array of string",
                                                "array of uint64",
                                                "array of int64",
                                                "array of float64"};
  static_assert(std::size(kNames) == 2 * kGgufScalars);
  return kNames[value.index()];
}

}  // namespace detent::io
