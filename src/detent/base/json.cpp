#include "detent/base/json.h"

#include "detent/base/error.h"

namespace detent {

using nlohmann::json;

bool JsonBuilder::key(string_t& name) {
  if (open_.back()->contains(name)) fail("{}: key {} appears twice in one JSON object", source_, in_quotes(name));
  key_ = std::move(name);
  return true;
}

bool JsonBuilder::parse_error(size_t, const std::string&, const json::exception& error) {
  fail("{}: not valid JSON: {}", source_, json_problem(error));
}

json* JsonBuilder::place(json value) {
  if (open_.empty()) return &(root_ = std::move(value));
  json& parent = *open_.back();
  if (parent.is_object()) return &(parent[key_] = std::move(value));
  parent.push_back(std::move(value));
  return &parent.back();
}

bool JsonBuilder::add(json value) {
  place(std::move(value));
  return true;
}

bool JsonBuilder::open(json value) {
  if (static_cast<int>(open_.size()) >= max_depth_) fail("{}: JSON nested deeper than {} levels", source_, max_depth_);
  open_.push_back(place(std::move(value)));
  return true;
}

bool JsonBuilder::close() {
  open_.pop_back();
  return true;
}

json parse_json(std::string_view text, std::string_view source, int max_depth) {
  JsonBuilder builder(source, max_depth);
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
  // The source names the line of a file of lines; in a text of one line there is nothing to count.
  constexpr std::string_view kPlace = "parse error at ", kFirstLine = "line 1, ";
  if (what.starts_with(kPlace) && what.substr(kPlace.size()).starts_with(kFirstLine)) {
    text = kPlace;
    what.remove_prefix(kPlace.size() + kFirstLine.size());
  }
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
