// One visit() per options struct feeds the YAML reader, --set, --help, the docs and the resolved config:
//
//   struct CageOptions {
//     double pull = 0.06;
//     template <class V> void visit(V& v) { v.field("pull", pull, "correction against Adam's unit step", Range{0, 1});
//     }
//   };
//
// A reader fails on an unknown key (naming the nearest one and the line), a value of the wrong type or out of range.
#pragma once
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "detent/base/node.h"

namespace detent {

struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;  // low itself is not allowed
};
inline constexpr Range kPositive{0, std::numeric_limits<double>::infinity(), true};
inline constexpr Range kNonNegative{0, std::numeric_limits<double>::infinity()};

using Choices = std::vector<std::string>;

// Scalars, one overload a type; `where` goes into the message.
void read_value(const Node& node, const std::string& key, double& value, const Range& range = {});
void read_value(const Node& node, const std::string& key, int64_t& value, const Range& range = {});
void read_value(const Node& node, const std::string& key, bool& value);
void read_value(const Node& node, const std::string& key, std::string& value, const Choices& choices = {});
void read_value(const Node& node, const std::string& key, std::vector<std::string>& value);
void read_value(const Node& node, const std::string& key, std::vector<double>& value);
// The map of an arbitrary sub-tree, kept for later (quant.layers).
inline void read_value(const Node& node, const std::string&, Node& value) { value = node; }
template <class T, class... C>
void read_value(const Node& node, const std::string& key, std::optional<T>& value, const C&... constraint) {
  if (node.kind == Node::Kind::kNull || (node.kind == Node::Kind::kScalar && node.scalar == "null" && !node.quoted)) {
    value.reset();
    return;
  }
  read_value(node, key, value.emplace(), constraint...);
}

Node make_node(double value);
Node make_node(int64_t value);
Node make_node(bool value);
Node make_node(const std::string& value);
Node make_node(const std::vector<std::string>& value);
Node make_node(const std::vector<double>& value);
inline Node make_node(const Node& value) { return value; }
template <class T>
Node make_node(const std::optional<T>& value) {
  return value ? make_node(*value) : Node{};
}

// The candidate with the smallest edit distance, or "" when none is near.
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);
[[noreturn]] void fail_unknown_key(const Node& at, const std::string& key, const std::string& prefix,
                                   const std::vector<std::string>& known);

// Reads the keys that are present in a map onto a struct; the others keep what they have.
class OptionsReader {
 public:
  OptionsReader(const Node& node, std::string prefix) : node_(node), prefix_(std::move(prefix)) {}

  template <class T, class... C>
  void field(const std::string& name, T& value, const char*, const C&... constraint) {
    known_.push_back(name);
    if (const Node* found = node_.find(name)) read_value(*found, prefix_ + name, value, constraint...);
  }
  template <class T>
  void group(const std::string& name, T& value, const char*) {
    known_.push_back(name);
    if (const Node* found = node_.find(name)) read_group(*found, name, value);
  }
  template <class T>
  void group(const std::string& name, std::optional<T>& value, const char*) {
    known_.push_back(name);
    const Node* found = node_.find(name);
    if (!found) return;
    if (found->kind == Node::Kind::kScalar || found->kind == Node::Kind::kNull) {
      read_absent(*found, name);
      value.reset();
      return;
    }
    if (!value) value.emplace();
    read_group(*found, name, *value);
  }
  void finish() const;  // fails on keys that no field claimed

 private:
  template <class T>
  void read_group(const Node& node, const std::string& name, T& value) {
    require_map(node, prefix_ + name);
    OptionsReader reader(node, prefix_ + name + ".");
    value.visit(reader);
    reader.finish();
  }
  static void require_map(const Node& node, const std::string& key);
  void read_absent(const Node& node, const std::string& name) const;  // null or none switch an optional block off

  const Node& node_;
  std::string prefix_;
  std::vector<std::string> known_;
};

// The whole struct as a tree, defaults included.
class OptionsWriter {
 public:
  Node node;
  OptionsWriter() { node.kind = Node::Kind::kMap; }
  template <class T, class... C>
  void field(const std::string& name, T& value, const char*, const C&...) {
    Node made = make_node(value);
    if (made.kind != Node::Kind::kNull) node.entries.emplace_back(name, made);
  }
  template <class T>
  void group(const std::string& name, T& value, const char*) {
    OptionsWriter inner;
    value.visit(inner);
    node.entries.emplace_back(name, inner.node);
  }
  template <class T>
  void group(const std::string& name, std::optional<T>& value, const char* help) {
    if (value) group(name, *value, help);
  }
};

// One line a key: name, default, range, help.
struct OptionRow {
  std::string name, type, default_value, range, help;
};
class OptionsTable {
 public:
  std::vector<OptionRow> rows;
  explicit OptionsTable(std::string prefix = "") : prefix_(std::move(prefix)) {}
  template <class T, class... C>
  void field(const std::string& name, T& value, const char* help, const C&... constraint) {
    rows.push_back({prefix_ + name, type_name(value), text(make_node(value)), range_text(constraint...), help});
  }
  template <class T>
  void group(const std::string& name, T& value, const char*) {
    OptionsTable inner(prefix_ + name + ".");
    value.visit(inner);
    rows.insert(rows.end(), inner.rows.begin(), inner.rows.end());
  }
  template <class T>
  void group(const std::string& name, std::optional<T>& value, const char* help) {
    T sample = value.value_or(T{});
    rows.push_back({prefix_ + name, "block", value ? "given" : "none", "", help});
    group(name, sample, help);
  }

 private:
  static std::string text(const Node& node);
  static std::string range_text() { return ""; }
  static std::string range_text(const Range& range);
  static std::string range_text(const Choices& choices);
  static const char* type_name(const double&) { return "number"; }
  static const char* type_name(const int64_t&) { return "integer"; }
  static const char* type_name(const bool&) { return "true/false"; }
  static const char* type_name(const std::string&) { return "text"; }
  static const char* type_name(const std::vector<std::string>&) { return "list"; }
  static const char* type_name(const std::vector<double>&) { return "list of numbers"; }
  static const char* type_name(const Node&) { return "list of blocks"; }
  template <class T>
  static const char* type_name(const std::optional<T>&) {
    return type_name(T{});
  }
  std::string prefix_;
};

template <class T>
void read_options(const Node& node, T& options, const std::string& prefix = "") {
  OptionsReader reader(node, prefix);
  options.visit(reader);
  reader.finish();
}
template <class T>
Node write_options(T& options) {
  OptionsWriter writer;
  options.visit(writer);
  return writer.node;
}
template <class T>
std::vector<OptionRow> options_table(T& options, const std::string& prefix = "") {
  OptionsTable table(prefix);
  options.visit(table);
  return table.rows;
}

}  // namespace detent
