#include "detent/base/json.h"

#include <vector>

#include "detent/base/error.h"

namespace detent {
namespace {

using nlohmann::json;

// Builds the value itself: the library's own builder lets the last of two equal keys win.
class StrictBuilder : public nlohmann::json_sax<json> {
 public:
  StrictBuilder(std::string_view source, int max_depth) : source_(source), max_depth_(max_depth) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(json::object()); }
  bool start_array(size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (open_.back()->contains(name)) fail("{}: key {} appears twice in one JSON object", source_, in_quotes(name));
    key_ = std::move(name);
    return true;
  }
  bool parse_error(size_t, const std::string&, const json::exception& error) override {
    fail("{}: not valid JSON: {}", source_, json_problem(error));
  }
  json take() { return std::move(root_); }

 private:
  json* place(json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    json& parent = *open_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool add(json value) {
    place(std::move(value));
    return true;
  }
  bool open(json value) {
    if (static_cast<int>(open_.size()) >= max_depth_)
      fail("{}: JSON nested deeper than {} levels", source_, max_depth_);
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view source_;
  int max_depth_;
  json root_;
  std::vector<json*> open_;  // the containers around the current position; a parent does not grow while a child is open
  std::string key_;
};

}  // namespace

json parse_json(std::string_view text, std::string_view source, int max_depth) {
  StrictBuilder builder(source, max_depth);
  read_json(text, source, builder);
  return builder.take();
}

void read_json(std::string_view text, std::string_view source, nlohmann::json_sax<json>& handler) {
  // The library takes a NUL byte for the end of the text and would not look at what follows.
  const size_t nul = text.find('\0');
  if (nul != text.npos) fail("{}: not valid JSON: a NUL byte at offset {}", source, nul);
  json::sax_parse(text.begin(), text.end(), &handler);
}

std::string json_problem(const json::exception& error) {
  std::string_view what = error.what();
  if (const size_t end = what.find("] "); what.starts_with('[') && end != what.npos) what.remove_prefix(end + 2);
  std::string text;
  for (const char c : what.substr(0, 240)) text += (c >= ' ' && c <= '~') ? c : '?';
  return what.size() > 240 ? text + "..." : text;
}

std::string in_quotes(std::string_view text) {
  std::string result = "'";
  for (const char c : text.substr(0, 120)) {
    if (c >= ' ' && c <= '~') {
      result += c;
    } else {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return result + (text.size() > 120 ? "...'" : "'");
}

}  // namespace detent
