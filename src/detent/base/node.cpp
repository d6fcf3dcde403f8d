#include "detent/base/node.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "detent/base/error.h"

namespace detent {

namespace {

constexpr int kMaxDepth = 32;
constexpr uintmax_t kMaxFileSize = 16 << 20;

// Text that --set gave has no lines.
bool is_set(const std::string& source) { return source.starts_with("--set "); }

// The first line indented with a tab, counted from 1; 0: none.
int line_with_tab(const std::string& text) {
  std::stringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find('\t') < line.find_first_not_of(" \t")) return number;
  }
  return 0;
}

// room: how many nodes there may still be. Without aliases each takes a byte of the text.
Node convert(const YAML::Node& yaml, const std::string& source, int depth, size_t& room) {
  Node node;
  node.source = source;
  node.line = yaml.Mark().line + 1;
  if (room-- == 0) fail("{}: its aliases expand to more than the text itself; write the values out", node.where());
  if (depth > kMaxDepth) fail("{}: nested deeper than {} levels", node.where(), kMaxDepth);
  switch (yaml.Type()) {
    case YAML::NodeType::Scalar:
      node.kind = Node::Kind::kScalar;
      node.scalar = yaml.Scalar();
      node.quoted = yaml.Tag() == "!";
      break;
    case YAML::NodeType::Sequence:
      node.kind = Node::Kind::kList;
      for (const YAML::Node& item : yaml) node.items.push_back(convert(item, source, depth + 1, room));
      break;
    case YAML::NodeType::Map:
      node.kind = Node::Kind::kMap;
      for (const auto& entry : yaml) {
        if (!entry.first.IsScalar()) fail("{}: a key must be plain text", node.where());
        Node value = convert(entry.second, source, depth + 1, room);
        if (entry.second.IsNull()) value.line = entry.first.Mark().line + 1;
        if (node.find(entry.first.Scalar()))
          fail("{}:{}: key '{}' appears twice", source, entry.first.Mark().line + 1, entry.first.Scalar());
        value.line = entry.first.Mark().line + 1;
        node.entries.emplace_back(entry.first.Scalar(), std::move(value));
      }
      break;
    default:
      break;
  }
  return node;
}

bool needs_quotes(const Node& node) {
  const std::string& s = node.scalar;
  if (node.quoted || s.empty() || s.front() == ' ' || s.back() == ' ') return true;
  return s.find_first_of(":#{}[],&*!|>'\"%@`\n\t\\") != std::string::npos || s == "~" || s == "null" || s[0] == '-';
}

bool is_number(const std::string& s) {
  char* end = nullptr;
  std::strtod(s.c_str(), &end);
  return !s.empty() && end == s.c_str() + s.size();
}

std::string quote(const Node& node) {
  if (!needs_quotes(node) || (is_number(node.scalar) && !node.quoted)) return node.scalar;
  std::string out = "\"";
  for (char c : node.scalar) {
    if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c == '"' || c == '\\')
      out += std::string("\\") + c;
    else
      out += c;
  }
  return out + "\"";
}

}  // namespace

std::string to_flow(const Node& node) {
  std::vector<std::string> parts;
  if (node.kind == Node::Kind::kNull) return "null";
  if (node.kind == Node::Kind::kScalar) return quote(node);
  if (node.kind == Node::Kind::kList) {
    for (const Node& item : node.items) parts.push_back(to_flow(item));
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
  for (const auto& [key, value] : node.entries) parts.push_back(key + ": " + to_flow(value));
  return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

namespace {

void write(const Node& node, int indent, std::string& out) {
  for (const auto& [key, value] : node.entries) {
    const std::string line = std::string(indent, ' ') + key + ":";
    if (value.kind == Node::Kind::kMap && !value.entries.empty()) {
      out += line + "\n";
      write(value, indent + 2, out);
    } else if (value.kind == Node::Kind::kList && value.items.size() > 0 && value.items[0].kind == Node::Kind::kMap) {
      out += line + "\n";
      for (const Node& item : value.items) out += std::string(indent + 2, ' ') + "- " + to_flow(item) + "\n";
    } else {
      out += line + " " + to_flow(value) + "\n";
    }
  }
}

}  // namespace

const Node* Node::find(const std::string& key) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.first == key; });
  return found == entries.end() ? nullptr : &found->second;
}

Node& Node::at_or_add(const std::string& key) {
  if (kind == Kind::kNull) kind = Kind::kMap;
  if (kind != Kind::kMap) fail("{}: cannot set '{}' inside a value that is not a block of keys", where(), key);
  for (auto& entry : entries)
    if (entry.first == key) return entry.second;
  Node added;
  added.source = source;
  return entries.emplace_back(key, added).second;
}

std::string Node::where() const { return line > 0 ? fmt::format("{}:{}", source, line) : source; }

Node parse_yaml(const std::string& text, const std::string& source) {
  if (text.find('\0') != std::string::npos) fail("{}: contains a NUL byte, so it is not YAML text", source);
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1) fail("{}: holds {} YAML documents; keep one", source, documents.size());
    size_t room = text.size() + 1;
    return documents.empty() ? Node{} : convert(documents[0], source, 0, room);
  } catch (const YAML::Exception& error) {
    const std::string place = is_set(source) ? source : fmt::format("{}:{}", source, error.mark.line + 1);
    if (const int line = line_with_tab(text); line > 0)
      fail("{}: not valid YAML: line {} begins with a tab; indent with spaces", place, line);
    fail("{}: not valid YAML: {}", place, error.msg);
  }
}

Node load_yaml(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) fail("{} is a folder; name the YAML file in it", path);
  if (std::filesystem::file_size(path, ignored) > kMaxFileSize && !ignored) fail("{}: too large for a config", path);
  std::ifstream in(path, std::ios::binary);
  if (!in) fail("cannot read {}: check the path", path);
  std::stringstream text;
  text << in.rdbuf();
  Node node = parse_yaml(text.str(), std::filesystem::path(path).filename().string());
  if (node.kind != Node::Kind::kMap) fail("{}: expected keys and values at the top level", path);
  return node;
}

void apply_set(Node& root, const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0)
    fail("--set {}: expected KEY=VALUE, for instance train.steps=100", assignment);
  Node* node = &root;
  std::stringstream path(assignment.substr(0, equals));
  for (std::string part; std::getline(path, part, '.');) {
    if (part.empty()) fail("--set {}: the key has an empty part", assignment);
    const bool added = node->kind == Node::Kind::kMap && !node->find(part);
    node = &node->at_or_add(part);
    if (added) node->source = "--set " + assignment;
  }
  Node value = parse_yaml(assignment.substr(equals + 1), "--set " + assignment);
  std::vector<Node*> stack{&value};  // --set has no lines
  while (!stack.empty()) {
    Node* current = stack.back();
    stack.pop_back();
    current->line = 0;
    current->source = "--set " + assignment;
    for (Node& item : current->items) stack.push_back(&item);
    for (auto& entry : current->entries) stack.push_back(&entry.second);
  }
  *node = value;
}

std::string to_yaml(const Node& node) {
  std::string out;
  write(node, 0, out);
  return out;
}

}  // namespace detent
