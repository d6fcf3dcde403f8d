// A configuration as a tree of text with line numbers: what YAML and --set are read into, before any meaning.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace detent {

struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string scalar;
  bool quoted = false;  // "0.1" in quotes is text
  std::vector<Node> items;
  struct Entry;
  std::vector<Entry> entries;
  int line = 0;        // 1-based; 0 for --set
  std::string source;  // file name or "--set"

  const Node* find(const std::string& key) const;
  Node& at_or_add(const std::string& key);
  std::string where() const;  // "config.yaml:12" or "--set"
};

struct Node::Entry {  // a type of its own: a pair would need Node complete
  std::string first;
  Node second;
  Entry(std::string key, Node value) : first(std::move(key)), second(std::move(value)) {}
};

// Parses one YAML document. Duplicate keys are refused; depth and what aliases expand to are bounded.
Node parse_yaml(const std::string& text, const std::string& source);
Node load_yaml(const std::string& path);
// Applies "a.b=c"; the value is read as YAML, so lists and maps work.
void apply_set(Node& root, const std::string& assignment);
// The tree on one line of YAML.
std::string to_flow(const Node& node);
// The tree as YAML again, keys in order; short lists and leaf maps on one line.
std::string to_yaml(const Node& node);

}  // namespace detent
