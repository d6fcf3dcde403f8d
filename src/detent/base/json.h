// Strict JSON for files that come from outside: UTF-8, no duplicate keys (a second value would silently win), bounded
// nesting, nothing after the value.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace detent {

// The value in text. source names the text in errors, e.g. a path. Fails (bad input) on anything not strict.
nlohmann::json parse_json(std::string_view text, std::string_view source, int max_depth = 64);

// Builds that value from a reader's events: the library's own builder lets the last of two equal keys win.
class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit JsonBuilder(std::string_view source, int max_depth = 64) : source_(source), max_depth_(max_depth) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(nlohmann::json::object()); }
  bool start_array(size_t) override { return open(nlohmann::json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override;
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& error) override;
  nlohmann::json take() { return std::move(root_); }

 private:
  nlohmann::json* place(nlohmann::json value);
  bool add(nlohmann::json value);
  bool open(nlohmann::json value);
  bool close();

  std::string_view source_;
  int max_depth_;
  nlohmann::json root_;
  // The containers around the current position; a parent does not grow while a child is open.
  std::vector<nlohmann::json*> open_;
  std::string key_;
};

// The same event by event, for text too large for a tree of values; a key given twice is the handler's to refuse.
void read_json(std::string_view text, std::string_view source, nlohmann::json_sax<nlohmann::json>& handler);

// A JSON parser's complaint in a form fit for a sentence: no library prefix, at most a few hundred printable bytes.
std::string json_problem(const nlohmann::json::exception& error);

// text in single quotes for an error message: control bytes and broken UTF-8 escaped, cut after 120 bytes.
std::string in_quotes(std::string_view text);

}  // namespace detent
