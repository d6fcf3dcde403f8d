#include "detent/io/text_source.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "detent/base/error.h"
#include "detent/base/json.h"

namespace detent::io {
namespace {

using nlohmann::json;

// A compressed .txt file as one document: a few bytes can stand for any size, so there is a bound. A plain one is
// bounded by its own size.
constexpr uint64_t kMaxCompressedText = uint64_t{1} << 30;

bool is_compressed(std::string_view name) { return name.ends_with(".zst"); }

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == line.npos; }

// Takes the one wanted string out of a line and only checks the rest.
class FieldReader : public nlohmann::json_sax<json> {
 public:
  FieldReader(std::string_view field, std::string_view source) : field_(field), source_(source) {}

  bool null() override { return other("null"); }
  bool boolean(bool) override { return other("a boolean"); }
  bool number_integer(number_integer_t) override { return other("a number"); }
  bool number_unsigned(number_unsigned_t) override { return other("a number"); }
  bool number_float(number_float_t, const string_t&) override { return other("a number"); }
  bool binary(binary_t&) override { return other("binary data"); }
  bool start_array(size_t) override { return other("an array") && ++depth_; }
  bool end_array() override { return --depth_ >= 0; }
  bool end_object() override { return --depth_ >= 0; }
  bool start_object(size_t) override {
    if (depth_ > 0) other("an object");
    return ++depth_;
  }
  bool key(string_t& name) override {
    if (depth_ > 1) return true;
    if (name == "messages") instruction_ = "messages";
    if (name == "completion") instruction_ = "prompt_completion";
    wanted_ = name == field_;
    if (wanted_ && found_) fail("{}: the field {} appears twice", source_, in_quotes(field_));
    return true;
  }
  bool string(string_t& value) override {
    if (depth_ != 1 || !wanted_) return other("a string");
    found_ = std::move(value);
    return true;
  }
  bool parse_error(size_t, const std::string&, const json::exception& error) override {
    fail("{}: not valid JSON: {}", source_, json_problem(error));
  }
  std::string take() {
    if (!found_ && instruction_) fail("{}: no field {}; set the format {}", source_, in_quotes(field_), instruction_);
    if (!found_) fail("{}: no field {}; choose another with the field option", source_, in_quotes(field_));
    return std::move(*found_);
  }

 private:
  bool other(std::string_view what) {
    if (depth_ == 0) fail("{}: {} instead of a JSON object", source_, what);
    if (depth_ == 1 && wanted_) fail("{}: the field {} is {}, expected a string", source_, in_quotes(field_), what);
    return true;
  }

  std::string_view field_, source_;
  int64_t depth_ = 0;
  bool wanted_ = false;  // the value that comes next at depth 1 is the field's
  std::optional<std::string> found_;
  const char* instruction_ = nullptr;  // the data format that the line looks like
};

}  // namespace

bool is_jsonl(std::string_view name) {
  if (is_compressed(name)) name.remove_suffix(4);
  if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) return true;
  if (name.ends_with(".txt") || name.ends_with(".raw")) return false;
  fail("{}: cannot tell its format; text files end in .txt or .jsonl, compressed ones in .txt.zst or .jsonl.zst", name);
}

TextSource::TextSource(const std::filesystem::path& path, TextOptions options)
    : mapped_(path),
      name_(path.string()),
      options_(std::move(options)),
      compressed_(is_compressed(name_)),
      jsonl_(is_jsonl(name_)),
      delimiter_(jsonl_ ? "\n" : options_.separator),
      stream_(mapped_->bytes(), name_, compressed_) {}

TextSource::TextSource(std::span<const std::byte> file, std::string name, TextOptions options)
    : name_(std::move(name)),
      options_(std::move(options)),
      compressed_(is_compressed(name_)),
      jsonl_(is_jsonl(name_)),
      delimiter_(jsonl_ ? "\n" : options_.separator),
      stream_(file, name_, compressed_) {}

uint64_t TextSource::limit() const {
  if (!delimiter_.empty()) return options_.max_document_bytes;
  return compressed_ ? kMaxCompressedText : std::numeric_limits<uint64_t>::max();
}

// Adds the next piece of the file to the buffer; false at its end.
bool TextSource::refill() {
  const std::string_view piece = stream_.next();
  if (options_.progress) options_.progress(stream_.position(), stream_.size());
  if (piece.empty()) return false;
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  buffer_ += piece;
  return true;
}

// The bytes up to the next delimiter or the end of the file; nothing when no byte is left.
std::optional<std::string_view> TextSource::next_piece() {
  while (true) {
    const size_t end = delimiter_.empty() ? buffer_.npos : buffer_.find(delimiter_, scanned_);
    const size_t size = std::min(end, buffer_.size()) - begin_;
    if (size > limit()) {
      fail("{}{}: a document of more than {} bytes", name_, jsonl_ ? fmt::format(":{}", line_ + 1) : "", limit());
    }
    if (end == buffer_.npos && !ended_) {
      // A delimiter may lie across two pieces.
      scanned_ = std::max(begin_, buffer_.size() - std::min(buffer_.size(), delimiter_.size()));
      ended_ = !refill();
      continue;
    }
    if (end == buffer_.npos && size == 0) return std::nullopt;
    const std::string_view piece = std::string_view(buffer_).substr(begin_, size);
    begin_ = scanned_ = std::min(buffer_.size(), begin_ + size + delimiter_.size());
    return piece;
  }
}

std::string TextSource::document_of(std::string_view line) const {
  const std::string source = fmt::format("{}:{}", name_, line_);
  FieldReader reader(options_.field, source);
  read_json(line, source, reader);
  return reader.take();
}

// piece as a string of its own; a whole file of one document is not copied.
std::string TextSource::take(std::string_view piece) {
  if (piece.size() < buffer_.size()) return std::string(piece);
  begin_ = scanned_ = 0;
  return std::exchange(buffer_, {});
}

std::optional<std::string> TextSource::next() {
  while (const auto piece = next_piece()) {
    ++line_;
    if (!jsonl_ && !piece->empty()) return take(*piece);
    if (jsonl_ && !is_blank(*piece)) return document_of(*piece);
  }
  return std::nullopt;
}

std::optional<TextSource::Line> TextSource::next_line() {
  if (!jsonl_) fail("{}: a .jsonl file is needed here, one JSON object a line", name_);
  while (const auto piece = next_piece()) {
    ++line_;
    if (!is_blank(*piece)) return Line{std::string(*piece), line_};
  }
  return std::nullopt;
}

std::optional<TextSource::Part> TextSource::next_part() {
  if (!delimiter_.empty()) {
    std::optional<std::string> document = next();
    if (!document) return std::nullopt;
    document_ = std::move(*document);
    return Part{document_, true};
  }
  const std::string_view piece = stream_.next();
  if (options_.progress) options_.progress(stream_.position(), stream_.size());
  if (piece.empty() && !in_document_) return std::nullopt;
  in_document_ = !piece.empty();
  return Part{piece, piece.empty()};
}

}  // namespace detent::io
