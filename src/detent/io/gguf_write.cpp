#include <algorithm>
#include <unordered_set>

#include "detent/io/bytes.h"
#include "detent/io/gguf.h"
#include "detent/io/gguf_format.h"

namespace detent::io {
namespace {

void put_string(std::string& out, std::string_view text) {
  append<uint64_t>(out, text.size());
  out += text;
}

template <class T>
void put_scalar(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    put_string(out, value);
  } else if constexpr (std::is_same_v<T, bool>) {
    append<uint8_t>(out, value);
  } else {
    append(out, value);
  }
}

template <class T>
void put_array(std::string& out, const std::vector<T>& values) {
  append<uint64_t>(out, values.size());
  for (auto&& value : values) put_scalar<T>(out, value);
}

template <size_t... I>
void put_typed(std::string& out, const GgufValue& value, std::index_sequence<I...>) {
  const auto put = [&]<class T>(const T*) {
    if (const T* scalar = value.get_if<T>()) put_scalar(out, *scalar);
    if (const std::vector<T>* array = value.get_if<std::vector<T>>()) put_array(out, *array);
  };
  (put(static_cast<const std::tuple_element_t<I, GgufScalars>*>(nullptr)), ...);
}

void put_value(std::string& out, const GgufValue& value) {
  const bool is_array = value.index() >= kGgufScalars;
  if (is_array) append(out, kGgufArray);
  append(out, kGgufTypeIds[value.index() % kGgufScalars]);
  put_typed(out, value, std::make_index_sequence<kGgufScalars>());
}

void check_name(std::string_view name, size_t max_bytes, std::unordered_set<std::string_view>& seen,
                const std::string& context) {
  if (name.empty() || name.size() > max_bytes || name.find('\0') != name.npos) {
    fail("{}: the name {} is empty, longer than {} bytes or holds a NUL", context, in_quotes(name), max_bytes);
  }
  if (!seen.insert(name).second) fail("{}: {} is given twice", context, in_quotes(name));
}

}  // namespace

GgufWriter::GgufWriter(const std::filesystem::path& path, const std::vector<GgufKeyValue>& values,
                       std::vector<GgufTensorInfo> tensors)
    : file_(path), tensors_(std::move(tensors)) {
  const std::string context = "cannot write " + path.string();
  std::string header(kGgufMagic);
  append(header, kGgufVersion);
  append<uint64_t>(header, tensors_.size());
  append<uint64_t>(header, values.size());
  std::unordered_set<std::string_view> keys, names;
  for (const auto& [key, value] : values) {
    check_name(key, kGgufMaxKey, keys, context);
    put_string(header, key);
    put_value(header, value);
  }
  alignment_ = gguf_alignment(values, context);
  uint64_t offset = 0;
  for (const GgufTensorInfo& tensor : tensors_) {
    check_name(tensor.name, kGgufMaxName, names, context);
    if (!tensor.type) fail("{}: tensor {} has no type", context, in_quotes(tensor.name));
    if (tensor.ne.size() > kGgufMaxDims) fail("{}: tensor {} has over 4 dimensions", context, in_quotes(tensor.name));
    sizes_.push_back(checked_gguf_bytes(tensor.name, *tensor.type, tensor.ne, context));
    put_string(header, tensor.name);
    append(header, static_cast<uint32_t>(tensor.ne.size()));
    for (const int64_t size : tensor.ne) append(header, size);
    append(header, tensor.type->id);
    append(header, offset);
    const auto end = checked_add(offset, sizes_.back());
    const auto padded = end ? checked_align(*end, alignment_) : std::nullopt;
    if (!padded) fail("{}: the size of the file overflows", context);
    offset = *padded;
  }
  file_.write(header);
  pad();
}

void GgufWriter::pad() {
  const uint64_t end = checked_align(file_.size(), alignment_).value();
  const std::string zeros(std::min<uint64_t>(end - file_.size(), 1 << 16), '\0');
  while (file_.size() < end) file_.write(std::string_view(zeros).substr(0, end - file_.size()));
}

void GgufWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (next_ == tensors_.size()) fail("cannot write {}: more bytes than its tensors have", file_.path().string());
    const auto part = bytes.first(std::min<uint64_t>(bytes.size(), sizes_[next_] - progress_));
    file_.write(part);
    bytes = bytes.subspan(part.size());
    progress_ += part.size();
    if (progress_ < sizes_[next_]) continue;
    pad();
    ++next_;
    progress_ = 0;
  }
}

void GgufWriter::write(std::string_view name, std::span<const std::byte> bytes) {
  const bool at_end = next_ == tensors_.size();
  if (at_end || progress_ > 0 || tensors_[next_].name != name) {
    fail("cannot write {}: got tensor {}, expected {}", file_.path().string(), in_quotes(name),
         at_end ? "the end" : (progress_ > 0 ? "more of " : "") + in_quotes(tensors_[next_].name));
  }
  if (bytes.size() != sizes_[next_]) {
    fail("cannot write {}: got {} bytes for tensor {}, expected {}", file_.path().string(), bytes.size(),
         in_quotes(name), sizes_[next_]);
  }
  write(bytes);
}

void GgufWriter::finish() {
  if (next_ < tensors_.size()) {
    fail("cannot write {}: bytes of tensor {} are missing", file_.path().string(), in_quotes(tensors_[next_].name));
  }
  file_.commit();
}

}  // namespace detent::io
