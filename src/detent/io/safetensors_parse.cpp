#include <algorithm>
#include <optional>
#include <unordered_set>

#include "detent/base/error.h"
#include "detent/base/json.h"
#include "detent/io/bytes.h"
#include "detent/io/safetensors.h"

namespace detent::io {
namespace {

using nlohmann::json;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the official library's limit
constexpr size_t kMaxRank = 64;

struct Entry {
  TensorView tensor;
  uint64_t begin = 0, end = 0;  // bytes, counted from the end of the header
};

// Reads the header event by event: no tree of values is built, and whatever is not expected is refused where it stands.
class HeaderParser : public nlohmann::json_sax<json> {
 public:
  explicit HeaderParser(std::string_view source) : source_(source) {}

  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool number_float(number_float_t, const string_t&) override { unexpected("a number that is no 64-bit integer"); }
  bool number_integer(number_integer_t) override { unexpected("a negative number"); }
  bool binary(binary_t&) override { unexpected("binary data"); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool start_object(size_t) override;
  bool key(string_t& name) override;
  bool end_object() override;
  bool start_array(size_t) override;
  bool end_array() override;
  bool parse_error(size_t, const std::string&, const json::exception& error) override {
    fail("{}: the header is not valid JSON: {}", source_, json_problem(error));
  }

 private:
  enum class State { kStart, kTop, kMetadata, kTensor, kShape, kOffsets, kEnd };

  [[noreturn]] void unexpected(std::string_view what) {
    fail("{}: the header holds {} where it has no place, at entry {}", source_, what, in_quotes(entry_key_));
  }
  void finish_tensor();

  std::string_view source_;
  State state_ = State::kStart;
  std::unordered_set<std::string> names_;
  std::string entry_key_, field_;
  std::optional<Dtype> dtype_;
  std::optional<std::vector<int64_t>> shape_;
  std::optional<std::vector<uint64_t>> offsets_;
};

bool HeaderParser::number_unsigned(number_unsigned_t value) {
  if (state_ == State::kShape) {
    if (value > INT64_MAX) fail("{}: tensor {}: a size of {} is too large", source_, in_quotes(entry_key_), value);
    if (shape_->size() == kMaxRank) {
      fail("{}: tensor {} has more than {} dimensions", source_, in_quotes(entry_key_), kMaxRank);
    }
    shape_->push_back(static_cast<int64_t>(value));
  } else if (state_ == State::kOffsets) {
    if (offsets_->size() == 2) fail("{}: tensor {} has more than two data_offsets", source_, in_quotes(entry_key_));
    offsets_->push_back(value);
  } else {
    unexpected("a number");
  }
  return true;
}

bool HeaderParser::string(string_t& value) {
  if (state_ == State::kMetadata) {
    if (!metadata.emplace(field_, std::move(value)).second) {
      fail("{}: __metadata__ names {} twice", source_, in_quotes(field_));
    }
  } else if (state_ == State::kTensor && field_ == "dtype") {
    dtype_ = parse_dtype(value);
    if (!dtype_) fail("{}: tensor {} has the unknown dtype {}", source_, in_quotes(entry_key_), in_quotes(value));
  } else {
    unexpected("a string");
  }
  return true;
}

bool HeaderParser::start_object(size_t) {
  if (state_ == State::kStart) {
    state_ = State::kTop;
  } else if (state_ == State::kTop) {
    state_ = entry_key_ == "__metadata__" ? State::kMetadata : State::kTensor;
    dtype_.reset();
    shape_.reset();
    offsets_.reset();
  } else {
    unexpected("an object");
  }
  return true;
}

bool HeaderParser::key(string_t& name) {
  if (state_ == State::kTop) {
    entry_key_ = name;
    if (!names_.insert(std::move(name)).second) fail("{}: the header names {} twice", source_, in_quotes(entry_key_));
    return true;
  }
  field_ = std::move(name);
  if (state_ == State::kMetadata) return true;
  const bool known = field_ == "dtype" || field_ == "shape" || field_ == "data_offsets";
  if (!known) fail("{}: tensor {} has the unknown key {}", source_, in_quotes(entry_key_), in_quotes(field_));
  if ((field_ == "dtype" && dtype_) || (field_ == "shape" && shape_) || (field_ == "data_offsets" && offsets_)) {
    fail("{}: tensor {} has {} twice", source_, in_quotes(entry_key_), in_quotes(field_));
  }
  return true;
}

bool HeaderParser::end_object() {
  if (state_ == State::kTensor) finish_tensor();
  state_ = state_ == State::kTop ? State::kEnd : State::kTop;
  return true;
}

bool HeaderParser::start_array(size_t) {
  if (state_ == State::kTensor && field_ == "shape") {
    state_ = State::kShape;
    shape_.emplace();
  } else if (state_ == State::kTensor && field_ == "data_offsets") {
    state_ = State::kOffsets;
    offsets_.emplace();
  } else {
    unexpected("an array");
  }
  return true;
}

bool HeaderParser::end_array() {
  state_ = State::kTensor;
  return true;
}

void HeaderParser::finish_tensor() {
  const std::string_view missing = !dtype_ ? "dtype" : !shape_ ? "shape" : !offsets_ ? "data_offsets" : "";
  if (!missing.empty()) fail("{}: tensor {} has no {}", source_, in_quotes(entry_key_), missing);
  if (offsets_->size() != 2) fail("{}: tensor {} has fewer than two data_offsets", source_, in_quotes(entry_key_));
  entries.push_back({{entry_key_, *dtype_, std::move(*shape_), {}}, (*offsets_)[0], (*offsets_)[1]});
}

void check_size(const Entry& entry, std::string_view source) {
  const TensorView& tensor = entry.tensor;
  const std::string name = in_quotes(tensor.name);
  if (entry.end < entry.begin) fail("{}: tensor {} ends before it begins", source, name);
  const auto count = element_count(tensor.shape);
  if (!count || !checked_multiply(*count, 64)) fail("{}: the shape of tensor {} overflows", source, name);
  const auto bytes = tensor_bytes(tensor.dtype, tensor.shape);
  if (!bytes) fail("{}: tensor {} does not fill whole bytes", source, name);
  if (*bytes != entry.end - entry.begin) {
    fail("{}: tensor {} spans {} bytes, but its dtype and shape need {}", source, name, entry.end - entry.begin,
         *bytes);
  }
}

// The tensors must tile the data: no hole, no overlap, nothing after the last.
void place(std::vector<Entry>& entries, std::span<const std::byte> data, std::string_view source) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  uint64_t position = 0;
  for (Entry& entry : entries) {
    const std::string name = in_quotes(entry.tensor.name);
    check_size(entry, source);
    if (entry.begin > position) fail("{}: a hole of {} bytes before tensor {}", source, entry.begin - position, name);
    if (entry.begin < position) fail("{}: tensor {} overlaps the one before it", source, name);
    if (entry.end > data.size()) {
      fail("{}: tensor {} needs {} bytes of data, the file has {}; it is cut short, fetch it again", source, name,
           entry.end, data.size());
    }
    entry.tensor.bytes = data.subspan(entry.begin, entry.end - entry.begin);
    position = entry.end;
  }
  if (position != data.size()) fail("{}: {} bytes after the last tensor", source, data.size() - position);
}

}  // namespace

SafetensorsContent parse_safetensors(std::span<const std::byte> file, std::string_view source) {
  if (file.size() < 8) fail("{}: {} bytes are too few for a safetensors file", source, file.size());
  const auto header_bytes = load<uint64_t>(file);
  if (header_bytes > kMaxHeaderBytes) {
    fail("{}: a header of {} bytes, over the limit of {}; is it a safetensors file?", source, header_bytes,
         kMaxHeaderBytes);
  }
  if (header_bytes > file.size() - 8) {
    fail("{}: the header needs {} bytes, the file has {} left; it is cut short, fetch it again", source, header_bytes,
         file.size() - 8);
  }
  const std::string_view header = as_text(file.subspan(8, header_bytes));
  if (!header.starts_with('{')) fail("{}: the header does not begin with '{{'; is it a safetensors file?", source);
  HeaderParser parser(source);
  read_json(header, source, parser);
  place(parser.entries, file.subspan(8 + header_bytes), source);
  SafetensorsContent content{{}, std::move(parser.metadata)};
  content.tensors.reserve(parser.entries.size());
  for (Entry& entry : parser.entries) content.tensors.push_back(std::move(entry.tensor));
  return content;
}

}  // namespace detent::io
