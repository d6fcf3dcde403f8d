#include "detent/base/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "detent/base/error.h"

namespace detent {

namespace {

std::string shown(double value) {
  const bool whole = value == std::trunc(value) && std::abs(value) < 1e15;
  return whole ? fmt::format("{:.0f}", value) : fmt::format("{:g}", value);
}

void check_range(const Node& node, const std::string& key, double value, const Range& range) {
  const bool low_ok = range.low_open ? value > range.low : value >= range.low;
  if (low_ok && value <= range.high) return;
  const std::string low = range.low_open ? "above " + shown(range.low) : "at least " + shown(range.low);
  const std::string bounds = std::isinf(range.high)  ? low
                             : std::isinf(range.low) ? "at most " + shown(range.high)
                                                     : low + " and at most " + shown(range.high);
  fail("{}: {} = {} is out of range: it must be {}", node.where(), key, node.scalar, bounds);
}

const std::string& scalar(const Node& node, const std::string& key, const char* expected) {
  if (node.kind != Node::Kind::kScalar) fail("{}: {} expects {}", node.where(), key, expected);
  return node.scalar;
}

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

void read_value(const Node& node, const std::string& key, double& value, const Range& range) {
  const std::string& text = scalar(node, key, "a number");
  char* end = nullptr;
  const double parsed = std::strtod(text.c_str(), &end);
  if (node.quoted || text.empty() || end != text.c_str() + text.size() || !std::isfinite(parsed))
    fail("{}: {} expects a number, got '{}'", node.where(), key, text);
  check_range(node, key, parsed, range);
  value = parsed;
}

void read_value(const Node& node, const std::string& key, int64_t& value, const Range& range) {
  const std::string& text = scalar(node, key, "an integer");
  int64_t parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (node.quoted || error != std::errc() || end != text.data() + text.size())
    fail("{}: {} expects an integer, got '{}'", node.where(), key, text);
  check_range(node, key, static_cast<double>(parsed), range);
  value = parsed;
}

void read_value(const Node& node, const std::string& key, bool& value) {
  const std::string& text = scalar(node, key, "true or false");
  if (node.quoted || (text != "true" && text != "false"))
    fail("{}: {} expects true or false, got '{}'", node.where(), key, text);
  value = text == "true";
}

void read_value(const Node& node, const std::string& key, std::string& value, const Choices& choices) {
  const std::string& text = scalar(node, key, "text");
  if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end()) {
    const std::string near = nearest_name(text, choices);
    fail("{}: {} = '{}' is not one of: {}{}", node.where(), key, text, fmt::join(choices, ", "),
         near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
  }
  value = text;
}

void read_value(const Node& node, const std::string& key, std::vector<std::string>& value) {
  value.clear();
  if (node.kind == Node::Kind::kScalar)
    value.push_back(node.scalar);
  else if (node.kind != Node::Kind::kList)
    fail("{}: {} expects a list", node.where(), key);
  for (const Node& item : node.items) value.push_back(scalar(item, key, "a list of texts"));
}

void read_value(const Node& node, const std::string& key, std::vector<double>& value) {
  if (node.kind != Node::Kind::kList) fail("{}: {} expects a list of numbers", node.where(), key);
  value.resize(node.items.size());
  for (size_t i = 0; i < value.size(); ++i) read_value(node.items[i], key, value[i]);
}

Node make_node(const std::string& value) {
  Node node;
  node.kind = Node::Kind::kScalar;
  node.scalar = value;
  return node;
}
Node make_node(double value) { return make_node(fmt::format("{}", value)); }
Node make_node(int64_t value) { return make_node(std::to_string(value)); }
Node make_node(bool value) { return make_node(std::string(value ? "true" : "false")); }

namespace {
template <class T>
Node make_list(const std::vector<T>& values) {
  Node node;
  node.kind = Node::Kind::kList;
  for (const T& value : values) node.items.push_back(make_node(value));
  return node;
}
}  // namespace

Node make_node(const std::vector<std::string>& value) { return make_list(value); }
Node make_node(const std::vector<double>& value) { return make_list(value); }

std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, name.size() / 2);
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(name, candidate);
    if (distance <= best_distance && (best.empty() || distance < best_distance)) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

void fail_unknown_key(const Node& at, const std::string& key, const std::string& prefix,
                      const std::vector<std::string>& known) {
  const std::string near = nearest_name(key, known);
  const std::string hint = known.empty()  ? "there are no keys here"
                           : near.empty() ? fmt::format("known here: {}", fmt::join(known, ", "))
                                          : fmt::format("did you mean '{}{}'?", prefix, near);
  fail("{}: unknown key '{}{}'; {}", at.where(), prefix, key, hint);
}

void OptionsReader::finish() const {
  for (const auto& [key, value] : node_.entries)
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) fail_unknown_key(value, key, prefix_, known_);
}

void OptionsReader::require_map(const Node& node, const std::string& key) {
  if (node.kind != Node::Kind::kMap) fail("{}: {} expects a block of keys", node.where(), key);
}

void OptionsReader::read_absent(const Node& node, const std::string& name) const {
  if (node.kind == Node::Kind::kScalar && node.scalar != "null" && node.scalar != "none" && node.scalar != "~")
    fail("{}: {}{} expects a block of keys, or null to switch it off, got '{}'", node.where(), prefix_, name,
         node.scalar);
}

std::string OptionsTable::text(const Node& node) {
  if (node.kind == Node::Kind::kScalar) return node.scalar;
  std::vector<std::string> items;
  for (const Node& item : node.items) items.push_back(text(item));
  return node.kind == Node::Kind::kNull ? "" : fmt::format("[{}]", fmt::join(items, ", "));
}

std::string OptionsTable::range_text(const Range& range) {
  if (std::isinf(range.high) && std::isinf(range.low)) return "";
  if (std::isinf(range.high)) return fmt::format("{} {}", range.low_open ? ">" : ">=", shown(range.low));
  return fmt::format("{}{}, {}]", range.low_open ? "(" : "[", shown(range.low), shown(range.high));
}

std::string OptionsTable::range_text(const Choices& choices) { return fmt::format("{}", fmt::join(choices, " | ")); }

}  // namespace detent
